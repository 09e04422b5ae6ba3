"""What every ledger promises of companions: objects beside a datafile, with its id and a tag of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.datafile import AUXILIARY, DATASET, LOGO, MAIN, TAB, fingerprint
from dataverse_backup.errors import LedgerError, Reason
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.ledger.audits import PRIMARY, Choice, Judged
from dataverse_backup.ledger.base import Kept, LogoTurn, Planned, Status, Tally
from dataverse_backup.ledger.removals import PRUNE_VERB, Outcome
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, NOON, copied, datafile, failed, key_of, planned, recorded, succeeded

if TYPE_CHECKING:
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.base import Attempt, Ledger, Standing

AUX = f"{AUXILIARY}dpJson_v1"
LAYOUT = "as it is"


def tab_of(number: int, version: str = "row 1") -> Datafile:
    return datafile(number, checksum=None).beside(TAB, version=version, size=7)


def tab_key(number: int) -> str:
    return f"{key_of(datafile(number))}.tab"


def copied_tab(number: int, version: str = "row 1") -> Attempt:
    return succeeded(tab_of(number, version), tab_key(number))


def standings(ledger: Ledger) -> dict[tuple[int, str], Standing]:
    return {(one.datafile_id, one.tag): one for one in ledger.standings(HERE)}


def marks(ledger: Ledger) -> dict[int, int | None]:
    return {number: mark for number, mark, *_ in ledger.marks(HERE, LAYOUT)}


def settle(ledger: Ledger, *numbers: int) -> None:
    """These and their .tab are copied."""
    ledger.keep_layout(HERE, LAYOUT)
    mains = [succeeded(datafile(number, mark=number * 11)) for number in numbers]
    recorded(ledger, *mains, *(copied_tab(number) for number in numbers))


def test_a_datafile_and_its_companions_stand_for_themselves(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)), replace(failed(tab_of(1)), key=tab_key(1)))
    found = standings(ledger)
    assert list(found) == [(1, MAIN), (1, TAB)]
    assert (found[1, MAIN].status, found[1, TAB].status) == (Status.OK, Status.FAIL_READ)
    assert (found[1, MAIN].key, found[1, TAB].key) == (key_of(datafile(1)), tab_key(1))
    assert found[1, MAIN].copy is not None
    assert found[1, TAB].copy is None


def test_standings_longer_than_a_page_have_every_companion_once(ledger: Ledger) -> None:
    for first in range(1, 4_001, 1_000):
        numbers = range(first, first + 1_000)
        mains = [planned(datafile(number)) for number in numbers]
        ledger.note(HERE, planned=[*mains, *(Planned(tab_of(number), tab_key(number)) for number in numbers)])
    expected = [(number, tag) for number in range(1, 4_001) for tag in (MAIN, TAB)]
    assert [(one.datafile_id, one.tag) for one in ledger.standings(HERE)] == expected
    assert [(line.datafile_id, line.tag) for line in ledger.listed(destination=HERE)] == expected


def test_a_companion_that_is_not_ok_unsettles_its_datafile_and_no_other(ledger: Ledger) -> None:
    settle(ledger, 1, 2, 3, 4)
    assert marks(ledger) == {1: 11, 2: 22, 3: 33, 4: 44}
    recorded(ledger, failed(tab_of(2)))
    ledger.note(HERE, planned=[Planned(datafile(3).beside(AUX, ".dpJson_v1"), "x")])
    assert marks(ledger) == {1: 11, 2: None, 3: None, 4: 44}
    recorded(ledger, copied_tab(2), succeeded(datafile(3).beside(AUX, ".dpJson_v1"), "x"))
    assert marks(ledger) == {1: 11, 2: 22, 3: 33, 4: 44}


def test_a_companion_that_is_gone_unsettles_nothing(ledger: Ledger) -> None:
    settle(ledger, 1)
    recorded(ledger, failed(tab_of(1)))
    ledger.note(HERE, companions_gone=[(1, TAB)])
    assert marks(ledger) == {1: 11}
    found = standings(ledger)
    assert (found[1, MAIN].status, found[1, TAB].status) == (Status.OK, Status.GONE)
    assert found[1, TAB].copy == copied_tab(1).copy


def test_what_is_gone_takes_its_companions_along(ledger: Ledger) -> None:
    settle(ledger, 1, 2)
    ledger.note(HERE, gone=[1])
    assert {place: one.status for place, one in standings(ledger).items()} == {
        (1, MAIN): Status.GONE,
        (1, TAB): Status.GONE,
        (2, MAIN): Status.OK,
        (2, TAB): Status.OK,
    }


def test_a_mark_is_the_datafiles_alone(ledger: Ledger) -> None:
    settle(ledger, 1)
    ledger.note(HERE, marked=[(1, 12)])
    assert marks(ledger) == {1: 12}


def test_a_plan_does_not_say_of_a_companion_what_it_was_not_tried_with(ledger: Ledger) -> None:
    settle(ledger, 1)
    again = tab_of(1, "row 2")
    ledger.note(HERE, planned=[Planned(again, tab_key(1))])
    assert standings(ledger)[1, TAB].fingerprint == fingerprint(tab_of(1))
    recorded(ledger, copied_tab(1, "row 2"))
    assert standings(ledger)[1, TAB].fingerprint == fingerprint(again)


def test_companions_are_tallied_apart_and_with_the_datafiles_where_they_lack_a_copy(ledger: Ledger) -> None:
    settle(ledger, 1, 2)
    recorded(ledger, failed(datafile(3)), failed(tab_of(2)))
    assert ledger.tallies(HERE) == [Tally(Status.OK, None, 2, 10), Tally(Status.FAIL_READ, Reason.MISSING, 1, 1003)]
    beside = [Tally(Status.OK, None, 1, 5), Tally(Status.FAIL_READ, Reason.MISSING, 1, 5)]
    assert ledger.tallies(HERE, companions=True) == beside
    lacking = Tally(Status.FAIL_READ, Reason.MISSING, 2, 1008)
    assert ledger.tallies_of_all(HERE) == [Tally(Status.OK, None, 2, 10), lacking]


def test_a_run_counts_datafiles_and_every_failure(ledger: Ledger) -> None:
    run = ledger.begin_run("backup", HERE)
    ledger.record(run, [succeeded(datafile(1)), copied_tab(1), failed(tab_of(2))])
    ended = ledger.end_run(run, "failures")
    assert (ended.files_ok, ended.files_failed) == (1, 1)


def test_sums_about_the_past_count_no_companions(ledger: Ledger) -> None:
    settle(ledger, 1, 2)
    assert [(holding.status, holding.files) for holding in ledger.holdings()] == [(Status.OK, 2)]
    assert [step.files for step in ledger.growth(HERE)] == [2]
    assert sum(band.files for band in ledger.sizes(HERE, [6])) == 2
    assert [dataset.files for dataset in ledger.datasets(9)] == [2]
    assert ledger.named("data 1.txt", 9) == [1]


def test_every_attempt_says_which_object_it_was_about(ledger: Ledger) -> None:
    settle(ledger, 1)
    recorded(ledger, failed(tab_of(1)))
    found = [(attempt.tag, attempt.status, attempt.before) for attempt in ledger.attempts(datafile_id=1)]
    assert found == [
        (MAIN, Status.OK, None),
        (TAB, Status.OK, None),
        (TAB, Status.FAIL_READ, Status.OK),
    ]


def test_a_companion_stands_in_the_way_like_its_datafile(ledger: Ledger) -> None:
    settle(ledger, 1)
    assert ledger.occupants(HERE, [tab_key(1), f"{tab_key(1)}/x", "free"], folded=None) == {
        tab_key(1): 1,
        f"{tab_key(1)}/x": 1,
    }


def test_a_copy_of_a_companion_shares_its_key_with_nobody(ledger: Ledger) -> None:
    settle(ledger, 1)
    with pytest.raises(LedgerError):
        recorded(ledger, succeeded(datafile(2), tab_key(1)))


def test_what_is_kept_of_a_datafile_is_its_companions_too(ledger: Ledger) -> None:
    settle(ledger, 2, 1)
    found = [(kept.datafile.id, kept.datafile.tag, kept.copy.key) for kept in ledger.kept()]
    assert found == [
        (1, MAIN, key_of(datafile(1))),
        (1, TAB, tab_key(1)),
        (2, MAIN, key_of(datafile(2))),
        (2, TAB, tab_key(2)),
    ]
    (tab,) = (kept.datafile for kept in ledger.kept(datafile_id=1) if kept.datafile.is_companion)
    assert tab == replace(tab_of(1), version="")


def test_what_is_said_to_be_kept_is_noted_with_its_tag(ledger: Ledger) -> None:
    tab = replace(tab_of(1), version="")
    kept = [Kept(one, HERE, Status.PENDING, copied(one, key)) for one, key in ((datafile(1), ""), (tab, tab_key(1)))]
    ledger.note_kept(HERE, kept)
    assert list(ledger.kept()) == kept


# Audits


def judged(file: Datafile, key: str, verdict: Verdict, destination: str = HERE) -> Judged:
    proof = copied(file, key) if verdict is Verdict.INTACT and destination != PRIMARY else None
    return Judged(file, destination, key, verdict, "", VerifiedBy.REMOTE_HASH, NOON, 5, proof)


def test_a_verdict_is_about_one_object(ledger: Ledger) -> None:
    settle(ledger, 1)
    run = ledger.begin_run("audit", HERE)
    ledger.judge(run, [judged(datafile(1), key_of(datafile(1)), Verdict.INTACT)])
    ledger.judge(run, [judged(tab_of(1), tab_key(1), Verdict.COPY_MISSING)])
    assert {place: one.status for place, one in standings(ledger).items()} == {
        (1, MAIN): Status.OK,
        (1, TAB): Status.FAIL_WRITE,
    }
    assert [(one.tag, one.verdict) for one in ledger.verdicts()] == [(TAB, Verdict.COPY_MISSING)]
    assert [(line.tag, line.verdict) for line in ledger.listed()] == [(MAIN, None), (TAB, Verdict.COPY_MISSING)]
    ledger.judge(run, [judged(tab_of(1), tab_key(1), Verdict.INTACT)])
    found = standings(ledger)[1, TAB]
    assert (found.status, found.reason) == (Status.OK, None)  # that nothing is registered is not worth a word here
    ended = ledger.end_run(run, "ok")
    assert (ended.files_ok, ended.files_failed) == (2, 1)


def test_companions_that_were_proven_at_the_same_moment_are_all_audited(ledger: Ledger) -> None:
    settle(ledger, 3, 1, 2)
    choice = Choice(NOON + timedelta(days=1))
    found = [(kept.datafile.id, kept.datafile.tag) for kept in ledger.to_audit(HERE, choice)]
    assert found == [(number, tag) for number in (1, 2, 3) for tag in (MAIN, TAB)]
    assert ledger.amount_to_audit(HERE, choice).files == 6


# Removals


def test_the_removal_of_a_companion_leaves_its_datafile_and_the_other_way_round(ledger: Ledger) -> None:
    settle(ledger, 1)
    ledger.note(HERE, gone=[1])
    run = ledger.begin_run(PRUNE_VERB, HERE)
    main, tab = (one.kept for one in ledger.gone(HERE, datetime.now(UTC) + timedelta(days=1)))
    assert (main.datafile.tag, tab.datafile.tag) == (MAIN, TAB)
    assert ledger.begin_removals(run, HERE, [tab]) == [tab]
    assert [kept.datafile.tag for kept in ledger.kept()] == [MAIN]
    ledger.end_removals(HERE, {tab_key(1): (Outcome.STAYS, "it is locked")})
    assert list(ledger.kept()) == [main, tab]
    assert ledger.begin_removals(run, HERE, [main, tab]) == [main, tab]
    assert list(ledger.kept()) == []
    assert [one.tag for one in ledger.removals(is_unfinished=True)] == [MAIN, TAB]


def logo_of(number: int, tag: str = LOGO) -> Datafile:
    return replace(datafile(number, checksum=None), tag=DATASET).logo(tag, "3 bytes")


def test_datasets_with_logos_are_found_among_others_until_these_are_gone(ledger: Ledger) -> None:
    settle(ledger, 1, 2)
    small = f"{LOGO}:thumb48"
    recorded(ledger, succeeded(logo_of(20), "a"), succeeded(logo_of(20, small), "b"), succeeded(logo_of(10), "c"))
    ledger.note(HERE, planned=[Planned(logo_of(30), None)])
    assert ledger.with_logos(HERE) == [10, 20, 30]
    assert ledger.with_logos("elsewhere") == []
    ledger.note(HERE, companions_gone=[(20, LOGO), (10, LOGO)])
    assert ledger.with_logos(HERE) == [20, 30]
    ledger.note(HERE, companions_gone=[(20, small)])
    assert ledger.with_logos(HERE) == [30]
    assert marks(ledger) == {1: 11, 2: 22}


def test_whose_turn_it_is_to_be_asked_for_a_logo_is_remembered_for_each_destination(ledger: Ledger) -> None:
    assert ledger.logo_turn(HERE) == LogoTurn()
    ledger.keep_logo_turn(HERE, LogoTurn(5, 9_000_000_000))
    ledger.keep_logo_turn("elsewhere", LogoTurn(7, 8))
    assert (ledger.logo_turn(HERE), ledger.logo_turn("elsewhere")) == (LogoTurn(5, 9_000_000_000), LogoTurn(7, 8))
