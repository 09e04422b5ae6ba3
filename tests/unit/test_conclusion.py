"""What travels back from workers is what was sent to them, and no more than that."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as some

from dataverse_backup.conclusion import Conclusion, Outcome, shortened, whole
from dataverse_backup.destinations.base import Receipt
from dataverse_backup.errors import Reason, SourceMissing
from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.work import Batch, Why, Work
from tests.contract.ledger_cases import MD5, datafile, key_of

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import Attempt

OTHER = Checksum.of(b"other bytes", Algorithm.MD5)


def work(number: int) -> Work:
    """Every third without a registered checksum, every fifth a companion."""
    file = datafile(number, checksum=None if number % 3 == 0 else MD5)
    file = file.beside("aux:x", ".x", checksum=MD5) if number % 5 == 0 else file
    return Work(file, key_of(file), None, Why.NEW)


def attempt(one: Work, kind: str) -> Attempt:
    conclusion = Conclusion(one, "default", "ssh", datetime.now(UTC))
    if kind == "missing":
        return conclusion.failed([SourceMissing("file", one.key, "there is no such object")])
    checksum = OTHER if kind == "other bytes" else one.datafile.checksum or OTHER
    receipt = Receipt(one.key, 1000, checksum, VerifiedBy.REMOTE_HASH, Durability.YES)
    stored = conclusion.stored(receipt, ".superseded/x" if kind == "superseded" else None)
    return replace(stored, key="elsewhere") if kind == "elsewhere" else stored


KINDS = some.sampled_from(["stored", "stored", "superseded", "missing", "other bytes", "elsewhere"])


@given(some.dictionaries(some.integers(1, 30), KINDS, max_size=8))
def test_an_outcome_that_was_shortened_is_whole_again(kinds: dict[int, str]) -> None:
    batch = Batch("default", tuple(work(number) for number in range(1, 31)))
    attempts = [attempt(batch.works[number - 1], kind) for number, kind in kinds.items()]
    outcome = Outcome(attempts, seconds=1.5, bytes_read=7)
    again = whole(pickle.loads(pickle.dumps(shortened(outcome, batch))), batch)
    assert sorted(again.attempts, key=lambda one: one.datafile.id) == sorted(attempts, key=lambda one: one.datafile.id)
    assert replace(again, attempts=[]) == replace(outcome, attempts=[])


def test_what_was_copied_as_it_was_wished_does_not_take_its_datafile_along() -> None:
    batch = Batch("default", tuple(work(number) for number in (1, 2, 4)))
    outcome = Outcome([attempt(one, "stored") for one in batch.works])
    assert b"doi:" in pickle.dumps(outcome)
    assert b"doi:" not in pickle.dumps(shortened(outcome, batch))


def test_what_went_otherwise_is_told_in_full() -> None:
    batch = Batch("default", (work(1),))
    for kind in ("missing", "other bytes", "elsewhere"):
        told = [attempt(batch.works[0], kind)]
        assert shortened(Outcome(told), batch).attempts == told
    superseded = shortened(Outcome([attempt(batch.works[0], "superseded")]), batch)
    assert whole(superseded, batch).attempts[0].reason is Reason.CONTENT_CHANGED
