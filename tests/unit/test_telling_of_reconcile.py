"""What the ledger keeps of a reconciliation, and what people are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.reconcile import reconcile_stores
from dataverse_backup.actions.reconcile_events import ReconcileEnded
from dataverse_backup.actions.report import gather as gather_report
from dataverse_backup.cli.summary import result_of
from dataverse_backup.errors import CatalogueUnavailable
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import RECONCILE_VERB
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import gather
from dataverse_backup.pages import write_pages
from tests.contract.ledger_cases import HERE, key_of
from tests.unit.reconcile_world import ReconcileWorld, Told

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.notify.summary import Summary


@pytest.fixture
def world() -> ReconcileWorld:
    made = ReconcileWorld()
    for number in (1, 2, 3):
        made.has(number)
    made.run()
    return made


def ended(told: Told) -> ReconcileEnded:
    (last,) = (event for event in told.events if isinstance(event, ReconcileEnded))
    return last


def summary_of(world: ReconcileWorld, told: Told) -> Summary:
    return gather(world.ledger, [result_of(ended(told))], "archive1")


def test_a_look_at_the_stores_is_a_run_of_the_ledger(world: ReconcileWorld) -> None:
    world.look()
    (run,) = world.ledger.runs(PRIMARY)
    assert (run.verb, run.outcome, run.files_ok, run.files_failed) == (RECONCILE_VERB, "ok", 3, 0)
    assert run.ended is not None


def test_what_is_lost_counts_as_failed_and_is_named_in_the_mail(world: ReconcileWorld) -> None:
    lost = key_of(world.has(2))
    del world.copies[lost]
    world.copies["10.5072/FK2/ABCDEF/<b>dark"] = b"x"
    told = world.look_at_copies()
    (run, *_) = world.ledger.runs(HERE)
    assert (run.verb, run.outcome, run.files_ok, run.files_failed) == (RECONCILE_VERB, "damage", 2, 1)
    message = compose(summary_of(world, told), is_attached=True)
    assert message.subject == "Dataverse reconcile LOSS FOUND: 2 objects in their places, 1 lost (archive1)"
    assert "Lost: 1 objects" in message.text
    assert lost in message.text
    assert "1 dark, " in message.text
    assert "the next backup makes it again" in message.text
    assert message.html is not None
    assert lost in message.html


def test_the_report_has_a_page_for_it(world: ReconcileWorld, tmp_path: Path) -> None:
    del world.store.objects[key_of(world.has(2))]
    run = ended(world.look()).record
    write_pages(gather_report(world.ledger, [HERE]), world.ledger, tmp_path)
    page = (tmp_path / "runs" / f"{run.id}.html").read_text()
    assert "2 objects in their places, 1 lost" in page


def test_when_all_is_in_its_place_the_second_time_has_nothing_new(world: ReconcileWorld) -> None:
    assert summary_of(world, world.look_at_copies()).is_well
    again = summary_of(world, world.look_at_copies())
    assert (again.is_well, again.has_changed) == (True, False)
    assert "nothing: everything that is known lies where it should" in compose(again, is_attached=True).text
    del world.copies[key_of(world.has(2))]
    assert summary_of(world, world.look_at_copies()).has_changed


def test_a_store_that_is_away_is_told(world: ReconcileWorld) -> None:
    world.store.lost = True
    summary = summary_of(world, world.look())
    assert not summary.is_well
    assert "the store is lost, as planned" in compose(summary, is_attached=True).text


def test_a_look_that_an_error_ends_is_an_error_in_the_ledger(
    world: ReconcileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise CatalogueUnavailable("nobody answers")

    monkeypatch.setattr(world.catalogue, "snapshot", away)
    with pytest.raises(CatalogueUnavailable):
        list(reconcile_stores(world.installation, world.stop))
    (run,) = world.ledger.runs(PRIMARY)
    assert run.outcome == "error"


def test_the_backup_that_was_last_stays_the_last_one(world: ReconcileWorld) -> None:
    world.look_at_copies()
    last = world.ledger.last_run(HERE)
    assert last is not None
    assert last.verb == "backup"
