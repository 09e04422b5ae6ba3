"""What every ledger keeps of audits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.datafile import LOGO, PROVENANCE, TAB, Dataset
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.ledger.audits import PRIMARY, Amount, Choice, Damage, Judged
from dataverse_backup.ledger.base import Copy, Status
from dataverse_backup.ledger.sql_history import PAGE
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, MD5, NOON, copied, datafile, failed, key_of, recorded, succeeded

if TYPE_CHECKING:
    from datetime import datetime

    from dataverse_backup.ledger.base import Attempt, Ledger

OTHER = Dataset("hdl:1902.1/7", "1902.1", "7")
LATER = NOON + timedelta(days=40)


def day(number: float) -> datetime:
    return NOON + timedelta(days=number)


def proven(number: int, when: datetime, **changes: Any) -> Attempt:
    file = datafile(number, **changes)
    return succeeded(file, copy=replace(copied(file), proven=when))


def judged(number: int, verdict: Verdict, destination: str = HERE, **changes: Any) -> Judged:
    file = changes.pop("file", datafile(number))
    base = Judged(file, destination, key_of(file), verdict, "as seen", VerifiedBy.READ_BACK, LATER, 5)
    return replace(base, **changes)


def intact(number: int, when: datetime = LATER, **changes: Any) -> Judged:
    file = datafile(number, **changes)
    proof = Copy(key_of(file), 5, MD5, file.checksum, VerifiedBy.READ_BACK, Durability.YES, when)
    return judged(number, Verdict.INTACT, file=file, at=when, proof=proof)


def audited(ledger: Ledger, *found: Judged) -> str:
    run = ledger.begin_run("audit", HERE)
    ledger.judge(run, found)
    return run


def ids(ledger: Ledger, **choice: Any) -> list[int]:
    return [one.datafile.id for one in ledger.to_audit(HERE, Choice(**{"now": LATER, **choice}))]


def status_of(ledger: Ledger, number: int) -> tuple[Status, Reason | None, Verdict | None]:
    (line,) = ledger.listed(destination=HERE, datafile_id=number)
    return line.status, line.reason, line.verdict


# Which are looked at


def test_the_oldest_proof_comes_first(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(3)), proven(2, day(1)), proven(3, day(2)), proven(4, day(1)), failed(datafile(5)))
    assert ids(ledger) == [2, 4, 3, 1]
    (first, *_) = ledger.to_audit(HERE, Choice(LATER))
    assert (first.datafile, first.status) == (datafile(2), Status.OK)
    assert first.copy == replace(copied(datafile(2)), proven=day(1))


def test_only_what_was_not_proven_for_long_is_chosen(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)), proven(2, day(2)), proven(3, day(3)))
    assert ids(ledger, proven_before=day(2)) == [1]
    assert ledger.amount_to_audit(HERE, Choice(LATER, day(2))) == Amount(1, 5, day(1))
    assert ledger.amount_to_audit(HERE, Choice(LATER)) == Amount(3, 15, day(1))
    assert ledger.amount_to_audit("nowhere", Choice(LATER)) == Amount(0, 0, None)


def test_one_dataset_is_chosen_by_its_pid(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)), proven(2, day(2), dataset=OTHER), proven(3, day(90), dataset=OTHER))
    assert ids(ledger, dataset=OTHER.persistent_id) == [3, 2]
    assert ledger.amount_to_audit(HERE, Choice(LATER, dataset=OTHER.persistent_id)) == Amount(2, 10, None)


def test_a_proof_from_the_future_counts_as_none(ledger: Ledger) -> None:
    """The clock was a month ahead once, and was set back."""
    recorded(ledger, proven(1, day(1)), proven(2, day(90)), proven(3, day(80)))
    assert ids(ledger, proven_before=day(2)) == [2, 3, 1]
    assert ledger.amount_to_audit(HERE, Choice(LATER, day(2))) == Amount(3, 15, None)


def test_what_is_gone_has_its_copies_still(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    ledger.note(HERE, gone=[1])
    assert [one.status for one in ledger.to_audit(HERE, Choice(LATER))] == [Status.GONE]


def test_what_is_proven_while_it_is_read_does_not_come_again(ledger: Ledger) -> None:
    number = PAGE + 3
    recorded(ledger, *(proven(one, day(one % 7)) for one in range(1, number)), proven(number, day(99)))
    run, seen = ledger.begin_run("audit", HERE), []
    for one in ledger.to_audit(HERE, Choice(LATER)):
        seen.append(one.datafile.id)
        if len(seen) % 1000 == 1:
            ledger.judge(run, [intact(number, LATER + timedelta(seconds=5)) for number in seen[-1000:]])
    assert (len(seen), len(set(seen)), seen[0]) == (number, number, number)


# What is kept


def test_intact_moves_the_proof_and_is_counted(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)), proven(2, day(2)))
    run = audited(ledger, intact(1), intact(2))
    assert [line.proven for line in ledger.listed()] == [LATER, LATER]
    assert list(ledger.verdicts()) == []
    found = ledger.end_run(run, "ok")
    assert (found.verb, found.files_ok, found.files_failed, found.bytes_read) == ("audit", 2, 0, 10)


def test_a_listing_proves_nothing(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    audited(ledger, judged(1, Verdict.COPY_ALTERED))
    run = audited(ledger, judged(1, Verdict.INTACT, how=None))
    (line,) = ledger.listed()
    assert (line.proven, line.verdict, line.status) == (day(1), Verdict.COPY_ALTERED, Status.FAIL_WRITE)
    assert ledger.end_run(run, "ok").bytes_read == 0


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [(Verdict.COPY_MISSING, Reason.COPY_MISSING), (Verdict.COPY_ALTERED, Reason.COPY_DIFFERS)],
)
def test_a_copy_that_is_missing_or_altered_fails(ledger: Ledger, verdict: Verdict, reason: Reason) -> None:
    recorded(ledger, proven(1, day(1)))
    run = audited(ledger, judged(1, verdict, message="gone to dust"))
    (line,) = ledger.listed()
    assert (line.status, line.reason, line.message) == (Status.FAIL_WRITE, reason, "gone to dust")
    assert (line.verdict, line.proven) == (verdict, day(1))
    assert ledger.oldest_failure(HERE) == LATER
    (event,) = ledger.verdicts(run=run)
    assert (event.verdict, event.datafile_id, event.key, event.at) == (verdict, 1, key_of(datafile(1)), LATER)
    assert (event.dataset, event.label, event.how) == (
        datafile(1).dataset.persistent_id,
        "data 1.txt",
        VerifiedBy.READ_BACK,
    )
    assert ledger.damage() == [Damage(HERE, verdict, 1, 5, LATER)]
    assert ledger.end_run(run, "damage").files_failed == 1


@pytest.mark.parametrize(
    "verdict", [Verdict.UNREADABLE, Verdict.UNREACHABLE, Verdict.CHECKSUM_SUSPECT, Verdict.NO_REFERENCE]
)
def test_no_other_verdict_changes_a_status(ledger: Ledger, verdict: Verdict) -> None:
    recorded(ledger, proven(1, day(1)))
    audited(ledger, judged(1, verdict))
    assert status_of(ledger, 1) == (Status.OK, None, verdict)


def test_silence_takes_no_damage_back(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    for verdict in (Verdict.COPY_MISSING, Verdict.UNREACHABLE, Verdict.UNREADABLE):
        audited(ledger, judged(1, verdict))
    assert status_of(ledger, 1) == (Status.FAIL_WRITE, Reason.COPY_MISSING, Verdict.COPY_MISSING)
    assert [event.verdict for event in ledger.verdicts(datafile_id=1)] == [
        Verdict.COPY_MISSING,
        Verdict.UNREACHABLE,
        Verdict.UNREADABLE,
    ]


def test_what_is_intact_again_is_ok_again_and_that_is_kept(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    audited(ledger, judged(1, Verdict.COPY_MISSING))
    audited(ledger, intact(1))
    audited(ledger, intact(1, LATER + timedelta(days=1)))
    assert status_of(ledger, 1) == (Status.OK, None, None)
    assert [event.verdict for event in ledger.verdicts(datafile_id=1)] == [Verdict.COPY_MISSING, Verdict.INTACT]
    assert ledger.damage() == []
    assert ledger.oldest_failure(HERE) is None


def test_an_older_content_that_is_intact_again_is_not_what_is_wanted(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    audited(ledger, judged(1, Verdict.COPY_ALTERED))
    changed = datafile(1, checksum=Checksum(Algorithm.MD5, "f" * 32))
    ledger.note(HERE, refreshed=[changed])
    audited(ledger, intact(1))
    assert status_of(ledger, 1) == (Status.FAIL_WRITE, Reason.COPY_DIFFERS, None)


def test_a_new_proof_by_a_backup_settles_a_verdict(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    audited(ledger, judged(1, Verdict.COPY_ALTERED))
    recorded(ledger, proven(1, LATER))
    assert status_of(ledger, 1) == (Status.OK, None, None)


def test_a_proof_that_is_suspect_counts_as_one(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    audited(ledger, replace(intact(1), verdict=Verdict.CHECKSUM_SUSPECT))
    (line,) = ledger.listed()
    assert (line.verdict, line.proven, line.status) == (Verdict.CHECKSUM_SUSPECT, LATER, Status.OK)


def test_a_damaged_copy_cannot_bring_a_proof(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    for bad in (replace(intact(1), verdict=Verdict.COPY_ALTERED), replace(intact(1), destination=PRIMARY)):
        with pytest.raises(ValueError, match="datafile 1"):
            audited(ledger, bad)


def test_files_are_listed_by_verdict(ledger: Ledger) -> None:
    recorded(ledger, *(proven(number, day(1)) for number in (1, 2, 3)))
    audited(ledger, judged(1, Verdict.COPY_ALTERED), judged(3, Verdict.PRIMARY_ALTERED, PRIMARY))
    assert [line.datafile_id for line in ledger.listed(verdict=Verdict.COPY_ALTERED)] == [1]
    assert [line.datafile_id for line in ledger.listed(verdict=Verdict.PRIMARY_ALTERED)] == [3]
    assert [(line.verdict, line.primary_verdict) for line in ledger.listed()] == [
        (Verdict.COPY_ALTERED, None),
        (None, None),
        (None, Verdict.PRIMARY_ALTERED),
    ]


# Primaries


def primaries(ledger: Ledger, **choice: Any) -> list[int]:
    return list(ledger.primaries_to_audit(Choice(**{"now": LATER, **choice})))


def test_primaries_that_were_never_proven_come_first(ledger: Ledger) -> None:
    ledger.note_primaries([datafile(number) for number in (1, 2, 3)])
    audited(
        ledger,
        judged(1, Verdict.INTACT, PRIMARY, at=day(9), size=77),
        judged(2, Verdict.INTACT, PRIMARY, at=day(8), how=None),
    )
    ledger.note_primaries([datafile(number) for number in (1, 2, 3, 4)])
    assert primaries(ledger) == [2, 3, 4, 1]
    assert primaries(ledger, proven_before=day(9)) == [2, 3, 4]
    assert ledger.amount_of_primaries(Choice(LATER)) == Amount(4, 77 + 5 + 1003 + 1004, None)
    ledger.forget_primaries([2, 3, 4])
    assert ledger.amount_of_primaries(Choice(LATER)) == Amount(1, 77, day(9))
    assert ledger.destinations() == [HERE]


def test_logos_come_with_the_primaries_and_are_counted_with_no_datafiles(ledger: Ledger) -> None:
    logo = replace(datafile(7, size=None), tag=LOGO)
    ledger.note_primaries([datafile(1), logo])
    audited(ledger, judged(1, Verdict.INTACT, PRIMARY, at=day(9)))
    assert primaries(ledger) == [7, 1]
    assert ledger.amount_of_primaries(Choice(LATER)).files == 1
    audited(ledger, replace(judged(7, Verdict.INTACT, PRIMARY, at=day(8)), datafile=logo))
    assert primaries(ledger) == [7, 1]
    assert primaries(ledger, proven_before=day(9)) == [7]


def test_companions_in_doubt_are_told_and_can_be_forgotten_alone(ledger: Ledger) -> None:
    tab, prov = (replace(datafile(1), tag=tag) for tag in (TAB, PROVENANCE))
    found = judged(1, Verdict.PRIMARY_MISSING, PRIMARY, how=None)
    audited(ledger, found, replace(found, datafile=tab), replace(found, datafile=prov))
    audited(ledger, replace(judged(2, Verdict.INTACT, PRIMARY), datafile=replace(datafile(2), tag=TAB)))
    assert ledger.doubtful_companions() == [(1, PROVENANCE), (1, TAB)]
    ledger.forget_primaries([], [(1, TAB)])
    assert ledger.doubtful_companions() == [(1, PROVENANCE)]
    assert [one.files for one in ledger.damage()] == [2]
    ledger.forget_primaries([1])
    assert (ledger.doubtful_companions(), ledger.damage()) == ([], [])


def test_a_damaged_primary_changes_no_status_and_is_counted(ledger: Ledger) -> None:
    recorded(ledger, proven(1, day(1)))
    audited(ledger, judged(1, Verdict.PRIMARY_MISSING, PRIMARY, how=None))
    assert status_of(ledger, 1) == (Status.OK, None, None)
    assert ledger.damage() == [Damage(PRIMARY, Verdict.PRIMARY_MISSING, 1, 5, LATER)]
    audited(ledger, judged(1, Verdict.INTACT, PRIMARY))
    assert ledger.damage() == []
    assert [event.verdict for event in ledger.verdicts(datafile_id=1)] == [Verdict.PRIMARY_MISSING, Verdict.INTACT]


def test_a_run_over_the_primaries_makes_no_destination(ledger: Ledger) -> None:
    run = ledger.begin_run("audit", PRIMARY)
    assert ledger.destinations() == []
    assert ledger.end_run(run, "ok").destination == PRIMARY
