"""The ledger in memory and the ledger in SQLite give the same answers, whatever is told to them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataverse_backup.errors import LedgerError, Reason
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.ledger.audits import PRIMARY, Choice, Judged
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.ledger.sql import open_ledger
from dataverse_backup.ledger.storable import storable
from dataverse_backup.verdict import Verdict
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
_judgements = st.lists(
    st.tuples(_ids, st.sampled_from(Verdict), st.booleans(), st.sampled_from([None, VerifiedBy.READ_BACK]), _minutes),
    max_size=3,
    unique_by=lambda each: (each[0], each[2]),
)
"""Datafile, verdict, whether on its primary, how it was read, and when."""
_steps = st.lists(
    st.tuples(st.just("note"), _notes)
    | st.tuples(st.just("record"), _attempts)
    | st.tuples(st.just("judge"), _judgements),
    max_size=8,
)
_CHOICES = [Choice(NOON + timedelta(minutes=5)), Choice(NOON + timedelta(minutes=9), NOON + timedelta(minutes=3))]
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
            elif what == "judge":
                judged = [one for each in told if (one := _judged(in_file, each))]
                in_file.judge(runs[0], judged)
                in_memory.judge(runs[1], judged)
            else:
                assert _recorded(in_file, runs[0], told) == _recorded(in_memory, runs[1], told)
            assert _answers(in_file) == _answers(in_memory)


def _recorded(ledger: Ledger, run: str, attempts: list[Any]) -> bool:
    try:
        ledger.record(run, attempts)
    except LedgerError:
        return False
    return True


def _judged(ledger: Ledger, told: tuple[int, Verdict, bool, VerifiedBy | None, int]) -> Judged | None:
    """What an audit may say of a copy that there is."""
    number, verdict, is_primary, how, minute = told
    kept = next(iter(ledger.kept(datafile_id=number)), None)
    if kept is None:
        return None
    when = NOON + timedelta(minutes=minute)
    may_prove = verdict in (Verdict.INTACT, Verdict.CHECKSUM_SUSPECT) and how is not None and not is_primary
    proof = replace(kept.copy, proven=when) if may_prove else None
    place = PRIMARY if is_primary else HERE
    return Judged(kept.datafile, place, kept.copy.key, verdict, "so it is\0", how, when, 7, proof)


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
        ledger.damage(),
        [replace(verdict, run="") for verdict in ledger.verdicts()],
        [(list(ledger.to_audit(HERE, choice)), ledger.amount_to_audit(HERE, choice)) for choice in _CHOICES],
        [(list(ledger.primaries_to_audit(choice)), ledger.amount_of_primaries(choice)) for choice in _CHOICES],
        run.bytes_read,
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
