"""What lies there that nothing knows, and what is known and does not lie there."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.reconcile import reconcile_stores
from dataverse_backup.actions.reconcile_events import Presence
from dataverse_backup.datafile import AUXILIARY, PACKAGE_CONTENT_TYPE, PROVENANCE, TAB, Dataset
from dataverse_backup.errors import Reason, SourceUnavailable
from dataverse_backup.stores.excluded import ExcludedStore
from dataverse_backup.stores.filesystem import FilesystemStore
from dataverse_backup.stores.listable import beside_datafiles
from dataverse_backup.stores.memory import Fault, MemoryStore
from dataverse_backup.stores.sharing import Sharing
from tests.contract.ledger_cases import datafile, key_of
from tests.unit.audit_world import backed_up

if TYPE_CHECKING:
    from pathlib import Path


from tests.unit.reconcile_world import FOLDER, PID, ReconcileWorld, Told


@pytest.fixture
def world() -> ReconcileWorld:
    world = ReconcileWorld()
    backed_up(world, 3)
    return world


# Stores


def test_where_everything_fits_nothing_is_found(world: ReconcileWorld) -> None:
    told = world.look()
    assert told.findings == []
    assert told.ended.ending is Ending.OK
    assert (told.ended.listed.objects, told.ended.known.objects) == (3, 3)
    assert told.ended.listed.size == told.ended.known.size == 18


def test_what_no_datafile_has_is_dark_with_its_dataset(world: ReconcileWorld) -> None:
    world.store.objects |= {f"{FOLDER}/18b-99": b"left", "10.5072/FK2/GONE/18b-7": b"of nothing", "stray": b""}
    told = world.look()
    assert told.dark == {
        f"{FOLDER}/18b-99": "no-datafile",
        "10.5072/FK2/GONE/18b-7": "no-dataset",
        "stray": "no-dataset",
    }
    assert {one.key: one.dataset for one in told.findings}[f"{FOLDER}/18b-99"] == PID
    assert told.ended.ending is Ending.OK
    assert told.ended.of(Presence.DARK).size == 14


def test_a_name_that_is_no_text_is_dark_as_it_is(world: ReconcileWorld) -> None:
    world.store.objects["a/\udcff"] = b"x"
    assert world.look().dark == {"a/\udcff": "no-dataset"}


def test_what_is_not_there_is_lost_with_its_datafile(world: ReconcileWorld) -> None:
    del world.store.objects[f"{FOLDER}/18b-2"]
    told = world.look()
    (finding,) = told.findings
    assert (finding.presence, finding.why, finding.datafile_id) == (Presence.LOST, "missing", 2)
    assert (finding.dataset, finding.label, finding.size) == (PID, "raw/data 2.txt", 6)
    assert told.ended.ending is Ending.DAMAGE


@pytest.mark.parametrize(
    ("suffixes", "why"),
    [
        ((), "missing"),
        (("",), "original-missing"),
        ((".orig",), "main-missing"),
        (("", ".orig"), None),
    ],
)
def test_an_ingested_file_has_an_original_and_a_main_object(suffixes: tuple[str, ...], why: str | None) -> None:
    world = ReconcileWorld()
    file = world.has(1, is_tabular=True)
    world.store.objects.clear()
    world.store.objects |= {key_of(file) + suffix: b"x" for suffix in suffixes}
    told = world.look()
    assert [finding.why for finding in told.findings] == ([] if why is None else [why])


def test_the_oldest_form_of_an_original_is_one(world: ReconcileWorld) -> None:
    world.has(9, is_tabular=True)
    world.store.objects[f"{FOLDER}/_18b-9"] = b"original of Dataverse 4.0"
    assert world.look().findings == []


def test_an_original_in_place_of_the_main_object_is_not_enough(world: ReconcileWorld) -> None:
    world.store.objects[f"{FOLDER}/18b-2.orig"] = world.store.objects.pop(f"{FOLDER}/18b-2")
    assert world.look().lost == {f"{FOLDER}/18b-2": "main-missing"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"{FOLDER}/18b-1.thumb64", "thumbnail"),
        (f"{FOLDER}/18b-1.prov-json.json", "provenance"),
        (f"{FOLDER}/18b-1.dpJson_v1.0", "auxiliary"),
        (f"{FOLDER}/18b-1.RData", "auxiliary"),
        (f"{FOLDER}/18b-1.damaged-20260101T000000.000000Z", "kept-aside"),
        (f"{FOLDER}/.put-back-0123456789abcdef", "kept-aside"),
        (f"{FOLDER}/18b-1/00000001", "temporary"),
        (f"{FOLDER}/18b-1.segments-20260101T000000.000000Z/00000001", "temporary"),
        (f"{FOLDER}/dataset_logo_original", "logo"),
        (f"{FOLDER}/dataset_logo.thumb48", "logo"),
        (f"{FOLDER}/dataset_logo", "logo"),
        (f"{FOLDER}/export_schema.org.cached", "export"),
        ("10.5072/FK2/NOFILES/export_ddi.cached", "export"),
        ("temp/upload123", "temporary"),
    ],
)
def test_what_dataverse_and_we_keep_beside_the_files_is_not_dark(world: ReconcileWorld, name: str, kind: str) -> None:
    """Facts 2.9 and 4."""
    world.store.objects[name] = b"x"
    told = world.look()
    assert told.of(Presence.BESIDE) == {name: kind}
    assert told.dark == {}


def test_what_lay_beside_a_file_that_has_gone_is_dark(world: ReconcileWorld) -> None:
    world.store.objects[f"{FOLDER}/18b-99.thumb64"] = b"x"
    assert world.look().dark == {f"{FOLDER}/18b-99.thumb64": "no-datafile"}


def test_an_empty_object_that_stands_for_a_folder_is_not_dark(world: ReconcileWorld) -> None:
    world.store.objects |= {f"{FOLDER}/": b"", "full/": b"x"}
    told = world.look()
    assert (told.of(Presence.BESIDE), told.dark) == ({f"{FOLDER}/": "folder"}, {"full/": "no-dataset"})


def test_what_is_so_new_that_its_row_may_come_yet_is_not_dark(world: ReconcileWorld) -> None:
    now = datetime.now(UTC)
    world.store.objects |= {"new": b"x", "old": b"x"}
    world.store.written |= {"new": now - timedelta(hours=23), "old": now - timedelta(hours=25)}
    told = world.look()
    assert (told.of(Presence.BESIDE), told.dark) == ({"new": "recent"}, {"old": "no-dataset"})


def test_what_is_uploaded_during_the_listing_is_not_dark(world: ReconcileWorld) -> None:
    world.store.objects[f"{FOLDER}/18b-7"] = b"its row comes"
    world.busy.meanwhile = lambda: world.has(7, b"its row comes")
    assert world.look().findings == []


def test_what_is_deleted_during_the_listing_is_neither_dark_nor_lost(world: ReconcileWorld) -> None:
    del world.store.objects[f"{FOLDER}/18b-3"]  # its bytes go before they are listed, its row after
    world.busy.meanwhile = lambda: [world.catalogue.rows_now.pop(number) for number in (2, 3)]
    told = world.look()
    assert told.findings == []


def test_what_changes_during_the_listing_is_not_lost(world: ReconcileWorld) -> None:
    row = world.catalogue.rows_now[2]
    del world.store.objects[f"{FOLDER}/18b-2"]
    world.busy.meanwhile = lambda: world.catalogue.rows_now.update({2: replace(row, label="renamed")})
    told = world.look()
    assert (told.findings, told.ended.undecided) == ([], 1)


def test_a_row_that_appears_during_the_listing_is_not_lost(world: ReconcileWorld) -> None:
    def appear() -> None:
        world.has(8)
        del world.store.objects[f"{FOLDER}/18b-8"]

    world.busy.meanwhile = appear
    told = world.look()
    assert (told.lost, told.ended.undecided) == ({}, 1)


def test_what_the_listing_missed_and_is_there_is_not_lost(world: ReconcileWorld) -> None:
    """Listings of Swift lag behind, and an ingest moves files while a folder is read."""
    data = world.store.objects.pop(f"{FOLDER}/18b-2")
    world.busy.meanwhile = lambda: world.store.objects.update({f"{FOLDER}/18b-2": data})
    assert world.look().findings == []


def test_what_cannot_be_looked_at_is_not_lost(world: ReconcileWorld) -> None:
    del world.store.objects[f"{FOLDER}/18b-2"]
    world.store.faults[f"{FOLDER}/18b-2"] = Fault(on_open=SourceUnavailable)
    told = world.look()
    assert (told.findings, told.ended.undecided, told.ended.ending) == ([], 1, Ending.OK)


def test_of_a_store_that_is_lost_nothing_is_said(world: ReconcileWorld) -> None:
    world.store.lost = True
    told = world.look()
    assert told.findings == []
    assert told.ended.ending is Ending.LOST
    assert "is lost" in str(told.ended.trouble)


def test_a_store_without_datafiles_may_be_empty() -> None:
    world = ReconcileWorld()
    world.store.lost = True
    told = world.look()
    assert (told.ended.ending, told.ended.of(Presence.LOST).objects) == (Ending.OK, 0)
    assert told.ended.trouble is not None


def test_a_store_that_is_lost_in_the_middle_says_nothing_of_what_was_not_listed(world: ReconcileWorld) -> None:
    def lose() -> None:
        world.store.lost = True
        world.store.probe()

    world.store.objects.pop(f"{FOLDER}/18b-2")
    world.busy.meanwhile = lose
    told = world.look()
    assert (told.findings, told.ended.ending) == ([], Ending.LOST)


def test_stores_with_the_same_objects_are_looked_at_as_one(world: ReconcileWorld) -> None:
    """Several may share a bucket (facts 2.3)."""
    world.stores["other"] = MemoryStore("other", world.store.objects)
    world.has(7, store_id="other", storageidentifier="other://18b-7")
    del world.store.objects[f"{FOLDER}/18b-7"]
    world.store.objects[f"{FOLDER}/18b-99"] = b""
    told = world.look()
    assert told.ended.place.name == "file, other"
    assert (told.dark, told.lost) == ({f"{FOLDER}/18b-99": "no-datafile"}, {f"{FOLDER}/18b-7": "missing"})


def test_stores_that_are_not_read_may_have_objects_here(world: ReconcileWorld) -> None:
    """The base store has thumbnails of what is remote; a store to be ignored may share a bucket (facts 2.3, 2.6)."""
    remote = datafile(7, store_id="trsa", storageidentifier="trsa://18b-7//themes/logo.png")
    ignored = datafile(8, store_id="old", storageidentifier="old://18b-8")
    world.catalogue.rows_now |= {7: remote, 8: ignored}
    world.store.objects |= {f"{FOLDER}/18b-7.thumb64": b"x", f"{FOLDER}/18b-8": b"x"}
    stores = {**world.stores, "trsa": ExcludedStore("trsa", Reason.REMOTE, "far away")}
    told = Told(list(reconcile_stores(replace(world.installation, stores=stores), world.stop)))
    assert told.of(Presence.BESIDE) == {f"{FOLDER}/18b-7.thumb64": "thumbnail", f"{FOLDER}/18b-8": "elsewhere"}
    assert told.dark == told.lost == {}
    assert told.ended.unknown_stores == {"old": 1}
    assert told.ended.ending is Ending.FAILURES


def test_a_store_that_cannot_be_listed_is_said_to_be_one(world: ReconcileWorld) -> None:
    reader = Sharing({"file": world.store}).reader()
    told = Told(list(reconcile_stores(replace(world.installation, stores=reader.stores), world.stop)))
    assert (told.findings, told.ended.ending) == ([], Ending.LOST)
    assert str(told.ended.trouble) == "file: stores of this kind cannot be listed; 3 datafiles are in it"


def test_a_package_is_a_folder_of_files(tmp_path: Path) -> None:
    """Facts 2.8."""
    package = {"content_type": PACKAGE_CONTENT_TYPE}
    files = [datafile(1, **package), datafile(2, **package), datafile(3)]
    (tmp_path / FOLDER / "18b-1" / "sub").mkdir(parents=True)
    for name in ("18b-1/files.sha", "18b-1/sub/a", "18b-3"):
        (tmp_path / FOLDER / name).write_bytes(b"x")
    world = ReconcileWorld()
    world.catalogue.rows_now |= {file.id: file for file in files}
    installation = replace(world.installation, stores={"file": FilesystemStore("file", tmp_path)})
    told = Told(list(reconcile_stores(installation, world.stop)))
    assert told.of(Presence.BESIDE) == {f"{FOLDER}/18b-1/files.sha": "package", f"{FOLDER}/18b-1/sub/a": "package"}
    assert told.lost == {f"{FOLDER}/18b-2": "missing"}
    assert told.dark == {}


def test_an_identifier_that_leads_nowhere_is_neither(world: ReconcileWorld) -> None:
    world.catalogue.rows_now[7] = datafile(7, storageidentifier="file://../../etc/passwd")
    world.catalogue.rows_now[8] = datafile(8, dataset=Dataset("doi:x", "/etc", "passwd"))
    told = world.look()
    assert (told.findings, told.ended.undecided) == ([], 2)


def test_stopped_it_says_so(world: ReconcileWorld) -> None:
    world.busy.meanwhile = world.stop.set
    told = world.look()
    assert (told.findings, told.ended.ending) == ([], Ending.INTERRUPTED)


def test_a_name_with_many_dots_is_compared_a_few_times_only() -> None:
    assert len(list(beside_datafiles("a/" + "x." * 5_000))) <= 16
    assert list(beside_datafiles("a/.hidden")) == []
    assert [main for main, _ in beside_datafiles("a.b/18b.tab.orig")] == ["a.b/18b.tab", "a.b/18b"]


# Companions


def test_what_must_lie_beside_a_file_is_known_and_lost_where_it_does_not(world: ReconcileWorld) -> None:
    row = world.has(7, b"main")
    prov, aux = row.beside(PROVENANCE, ".prov-json.json"), row.beside(f"{AUXILIARY}dpJson_v1", ".dpJson_v1", size=9)
    world.catalogue.rows_now[7] = replace(row, companions=(prov, aux))
    world.store.objects[f"{key_of(row)}.prov-json.json"] = b"{}"
    told = world.look()
    (finding,) = told.findings
    assert (finding.key, finding.why, finding.datafile_id) == (f"{key_of(row)}.dpJson_v1", "missing", 7)
    assert (finding.label, finding.size) == ("raw/data 7.txt.dpJson_v1", 9)
    assert told.ended.known.objects == 5


def test_the_main_object_of_an_ingested_file_is_lost_once(world: ReconcileWorld) -> None:
    row = world.has(7, is_tabular=True)
    world.catalogue.rows_now[7] = replace(row, companions=(row.beside(TAB),))
    world.store.objects[f"{key_of(row)}.orig"] = world.store.objects.pop(key_of(row))
    assert world.look().lost == {key_of(row): "main-missing"}


def test_a_store_in_the_directory_of_another_one_is_looked_at_once(tmp_path: Path) -> None:
    world = ReconcileWorld()
    outer, inner = FilesystemStore("file", tmp_path), FilesystemStore("local", tmp_path / "more" / "files")
    for folder, number, store_id in ((tmp_path, 1, "file"), (tmp_path / "more" / "files", 2, "local")):
        file = world.has(number, b"data")
        world.catalogue.rows_now[number] = replace(file, store_id=store_id)
        (folder / FOLDER).mkdir(parents=True)
        (folder / key_of(file)).write_bytes(b"data")
        (folder / FOLDER / f"dark-{store_id}").write_bytes(b"x")
    (tmp_path / "more" / "files-of-nobody").write_bytes(b"x")
    for path in tmp_path.rglob("*"):
        os.utime(path, (0, 0))
    stores = {store.id: store for store in (outer, inner)}
    told = Told(list(reconcile_stores(replace(world.installation, stores=stores), world.stop)))
    found = {(one.place.name, one.key) for one in told.findings}
    assert found == {
        ("file", f"{FOLDER}/dark-file"),
        ("file", "more/files-of-nobody"),
        ("local", f"{FOLDER}/dark-local"),
    }
