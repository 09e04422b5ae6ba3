"""What lies at a destination that the ledger does not know, what is lost; and how findings are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.reconcile_events import Presence
from dataverse_backup.cli import reconciling
from dataverse_backup.destinations.base import IDENTITY_KEY, Entry
from dataverse_backup.errors import DestinationLost
from dataverse_backup.ledger.base import Planned
from tests.contract.ledger_cases import HERE, datafile, key_of
from tests.unit.audit_world import backed_up

if TYPE_CHECKING:
    from collections.abc import Iterator


from tests.unit.reconcile_world import FOLDER, PID, ReconcileWorld


@pytest.fixture
def world() -> ReconcileWorld:
    world = ReconcileWorld()
    backed_up(world, 3)
    return world


# Destinations


def test_of_a_destination_what_the_ledger_has_is_known(world: ReconcileWorld) -> None:
    told = world.look_at_copies()
    assert (told.dark, told.lost, told.ended.ending) == ({}, {}, Ending.OK)
    assert told.of(Presence.BESIDE) == {IDENTITY_KEY: "own"}
    assert (told.ended.known.objects, told.ended.known.size) == (3, 18)


def test_a_copy_that_is_missing_or_has_another_size_is_lost(world: ReconcileWorld) -> None:
    del world.copies[f"{FOLDER}/18b-1"]
    world.copies[f"{FOLDER}/18b-2"] = b"short"
    told = world.look_at_copies()
    assert told.lost == {f"{FOLDER}/18b-1": "missing", f"{FOLDER}/18b-2": "size-differs"}
    assert {one.datafile_id: one.dataset for one in told.findings if one.datafile_id} == {1: PID, 2: PID}
    assert told.ended.ending is Ending.DAMAGE


def test_what_the_ledger_does_not_know_is_dark_and_what_is_ours_is_not(world: ReconcileWorld) -> None:
    world.destination.objects |= {
        f"{FOLDER}/.dataverse-backup/manifest.json": b"",
        ".dataverse-backup/staging/x/1": b"",
        ".superseded/a/b": b"",
        "README.txt": b"",
        f"{FOLDER}/18b-77": b"dark",
        "holiday.jpg": b"",
    }
    told = world.look_at_copies()
    assert told.dark == {f"{FOLDER}/18b-77": "no-copy", "holiday.jpg": "no-copy"}
    assert {one.key: one.dataset for one in told.findings if one.presence is Presence.DARK}[f"{FOLDER}/18b-77"] == PID
    assert told.of(Presence.BESIDE) == {
        IDENTITY_KEY: "own",
        ".dataverse-backup/staging/x/1": "own",
        ".superseded/a/b": "superseded",
        f"{FOLDER}/.dataverse-backup/manifest.json": "notes",
        "README.txt": "notes",
    }


def test_what_lies_where_a_copy_is_planned_is_for_the_next_backup_to_prove(world: ReconcileWorld) -> None:
    file = datafile(7)
    world.ledger.note(HERE, planned=[Planned(file, key_of(file))])
    world.copies[key_of(file)] = b"of a run that was killed"
    assert world.look_at_copies().of(Presence.BESIDE)[key_of(file)] == "unproven"


def test_a_backup_that_runs_meanwhile_makes_nothing_dark_or_lost(
    world: ReconcileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = world.destination.entries

    def listing_during_a_backup(folder: str = "") -> Iterator[Entry]:
        world.has(7, b"new")
        world.has(2, b"other content")
        before = list(entries(folder))
        world.run()
        after = {entry.key: entry for entry in entries(folder)}
        yield from (after | {entry.key: entry for entry in before}).values()  # old sizes, new names

    monkeypatch.setattr(world.destination, "entries", listing_during_a_backup)
    told = world.look_at_copies()
    assert (told.dark, told.lost) == ({}, {})
    assert told.ended.undecided == 1


def test_a_copy_that_the_listing_missed_and_is_there_is_not_lost(
    world: ReconcileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.destination, "entries", lambda _="": iter(()))
    told = world.look_at_copies()
    assert (told.lost, told.ended.ending) == ({}, Ending.OK)


def test_another_ledgers_destination_is_refused_and_one_that_was_never_used_is_empty(world: ReconcileWorld) -> None:
    world.destination.write_identity("somebody else's")
    refused = world.look_at_copies()
    assert refused.ended.ending is Ending.LOST
    assert "another ledger" in str(refused.ended.trouble)
    fresh = ReconcileWorld()
    fresh.ledger = type(fresh.ledger)()
    fresh.destination.objects.clear()
    told = fresh.look_at_copies()
    assert (told.findings, told.ended.ending) == ([], Ending.OK)
    assert fresh.destination.read_identity() is None


def test_a_destination_that_is_lost_in_the_middle_is_not_half_a_truth(
    world: ReconcileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: str = "") -> Iterator[Entry]:
        yield Entry(f"{FOLDER}/18b-1", 6)
        raise DestinationLost("default: nobody answers")

    monkeypatch.setattr(world.destination, "entries", breaks)
    told = world.look_at_copies()
    assert (told.findings, told.ended.ending) == ([], Ending.LOST)


# What is written


def test_findings_are_written_as_lines_as_objects_and_for_a_spreadsheet(
    world: ReconcileWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    del world.store.objects[f"{FOLDER}/18b-2"]
    world.store.objects["=cmd"] = b"x"
    written = {}
    for form in reconciling.Form:
        reconciling._shown(iter(world.look().events), reconciling.Order(form=form))
        written[form] = capsys.readouterr().out.splitlines()
    lost, dark, *_ = written[reconciling.Form.TEXT]
    assert lost == (
        f"lost missing  {FOLDER}/18b-2  (store file, datafile 2, {PID}, raw/data 2.txt; 6 B): nothing lies there"
    )
    assert dark == "dark no-dataset  =cmd  (store file; 1 B): no dataset that has datafiles lies there"
    assert [json.loads(line)["place"] for line in written[reconciling.Form.JSON]] == ["file"] * 3
    assert json.loads(written[reconciling.Form.JSON][-1])["lost"] == {"missing": {"objects": 1, "bytes": 6}}
    assert written[reconciling.Form.CSV][1].startswith("dark,no-dataset,file,True,'=cmd,")


def test_quiet_tells_only_what_is_lost(world: ReconcileWorld, capsys: pytest.CaptureFixture[str]) -> None:
    order = reconciling.Order(is_quiet=True)
    world.store.objects["dark"] = b"x"
    reconciling._shown(iter(world.look().events), order)
    assert capsys.readouterr() == ("", "")
    del world.store.objects[f"{FOLDER}/18b-2"]
    reconciling._shown(iter(world.look().events), order)
    assert len(capsys.readouterr().out.splitlines()) == 1
