"""The ledger in memory and the ledger in SQLite give the same answers, whatever is told to them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataverse_backup.errors import LedgerError, Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.ledger.sql import open_ledger
from dataverse_backup.ledger.storable import storable
from tests.contract.ledger_cases import DATASET, HERE, NOON, datafile, failed, not_here, planned, succeeded

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import Ledger

_ids = st.integers(1, 4)
_keys = st.sampled_from(["a", "A", "a/b", "a/B/c", "b", "b%", "a_b", "a0", "a-", "/x"])
_files = st.builds(
    datafile,
    _ids,
    label=st.sampled_from(["x", "y\0", "\udc80"]),
    checksum=st.sampled_from([None, datafile(1).checksum]),
)
_minutes = st.integers(0, 9)
_failures = st.builds(
    failed,
    _files,
    st.sampled_from([Reason.MISSING, Reason.NO_SPACE]),
    minute=_minutes,
    key=st.none() | _keys,
)
_vanished = st.builds(failed, _files, minute=_minutes, status=st.just(Status.GONE), reason=st.none())
_attempts = st.lists(st.builds(succeeded, _files, _keys, minute=_minutes) | _failures | _vanished, max_size=4)
_plans = st.builds(planned, _files, st.none() | _keys, st.sampled_from([None, Reason.STORE_UNKNOWN]))
_notes = st.fixed_dictionaries(
    {},
    optional={
        "planned": st.lists(_plans, max_size=3),
        "refreshed": st.lists(_files, max_size=2),
        "not_here": st.lists(st.builds(not_here, _ids, st.sampled_from([Reason.REMOTE, Reason.IGNORED])), max_size=2),
        "gone": st.lists(_ids, max_size=2),
    },
)
_steps = st.lists(st.tuples(st.just("note"), _notes) | st.tuples(st.just("record"), _attempts), max_size=8)
_PROBES = ["a", "A", "a/b", "a/b/c", "a/b/c/d", "b", "b%", "b%/x", "/x", "", "/", "c"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(_steps)
def test_both_ledgers_answer_alike(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, open_ledger(f"sqlite:///{folder}/ledger.db") as in_file:
        in_memory = MemoryLedger()
        runs = in_file.begin_run("backup", HERE), in_memory.begin_run("backup", HERE)
        for what, told in steps:
            if what == "note":
                in_file.note(HERE, **told)
                in_memory.note(HERE, **told)
            else:
                assert _recorded(in_file, runs[0], told) == _recorded(in_memory, runs[1], told)
            assert _answers(in_file) == _answers(in_memory)


def _recorded(ledger: Ledger, run: str, attempts: list[Any]) -> bool:
    try:
        ledger.record(run, attempts)
    except LedgerError:
        return False
    return True


def _answers(ledger: Ledger) -> list[Any]:
    run = ledger.last_run()
    assert run is not None
    return [
        list(ledger.standings(HERE)),
        list(ledger.listed()),
        ledger.tallies(HERE),
        ledger.oldest_failure(HERE),
        ledger.occupants(HERE, _PROBES, folded=None),
        ledger.occupants(HERE, _PROBES, folded=str.casefold),
        (run.files_ok, run.files_failed, run.bytes_sent),
        [replace(attempt, run="") for attempt in ledger.attempts()],
        ledger.holdings(),
        ledger.sizes(HERE, [1, 1002]),
        ledger.proofs(HERE, [NOON, NOON + timedelta(days=1)]),
        ledger.growth(HERE),
        ledger.datasets(9),
        [ledger.named(name, 9) for name in (*_PROBES, "18b-2", "raw/x", DATASET.persistent_id)],
    ]


@given(st.text(st.characters()))
def test_storable_text_can_be_stored_and_other_text_stays_as_it_is(text: str) -> None:
    stored = storable(text)
    assert stored.encode().count(b"\0") == 0
    assert storable(stored) == stored
    if stored != text:
        assert any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)
