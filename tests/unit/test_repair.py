"""Making good what audits found, in memory: copies from primaries, primaries from copies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.actions.repair import PrimariesRepair, damaged_copies
from dataverse_backup.cli.repairing import damaged_lines
from dataverse_backup.datafile import PROVENANCE, Dataset
from dataverse_backup.engine import Stop
from dataverse_backup.errors import LockHeld
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import REPAIR_VERB, Status
from dataverse_backup.stores.excluded import ExcludedStore
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, key_of
from tests.unit.audit_world import AuditWorld, backed_up
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataverse_backup.actions.repair import Mended, Proposal

OTHER = Dataset("hdl:1902.1/7", "1902.1", "7")


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.examine.RETRY_DELAYS", (0.0,))


@pytest.fixture
def world() -> AuditWorld:
    return AuditWorld()


# Copies


def repaired(world: AuditWorld, only: dict[str, set[int]]) -> Ended:
    events = backup(world.installation, [world.site], Stop(), only=only)
    (ended,) = (event for event in events if isinstance(event, Ended))
    return ended


def test_only_what_is_damaged_is_copied_again(world: AuditWorld) -> None:
    files = backed_up(world)
    world.has(9, b"new, and for the next backup")
    world.copies[key_of(files[1])] = b"rotten"
    del world.copies[key_of(files[3])]
    world.audit()
    damaged = damaged_copies(world.ledger, [HERE])
    assert damaged == {HERE: {2, 4}}
    ended = repaired(world, damaged)
    assert (ended.ending, ended.tried[Status.OK]) == (Ending.OK, 2)
    assert ended.record is not None
    assert ended.record.verb == REPAIR_VERB
    assert world.copies[key_of(files[1])] == b"data 2"
    assert key_of(world.has(9)) not in world.copies
    last = world.ledger.last_run(HERE)
    assert last is not None
    assert last.id != ended.record.id
    assert damaged_copies(world.ledger, [HERE]) == {HERE: set()}


def test_damaged_copies_are_chosen_by_file_and_dataset(world: AuditWorld) -> None:
    files = [world.has(1), world.has(2), world.has(3, dataset=OTHER)]
    world.run()
    for file in files:
        del world.copies[key_of(file)]
    world.audit()
    assert damaged_copies(world.ledger, [HERE], only={1, 3, 7}) == {HERE: {1, 3}}
    assert damaged_copies(world.ledger, [HERE], dataset=OTHER.persistent_id) == {HERE: {3}}


def test_a_primary_that_is_damaged_too_repairs_nothing(world: AuditWorld) -> None:
    file = backed_up(world, 1)[0]
    world.copies[key_of(file)] = b"rotten"
    world.store.objects[key_of(file)] = b"rotten, too"
    world.audit()
    ended = repaired(world, damaged_copies(world.ledger, [HERE]))
    assert ended.ending is Ending.FAILURES
    assert world.copies[key_of(file)] == b"rotten"


# Primaries


def proposed(world: AuditWorld, *ids: int) -> list[Proposal]:
    with PrimariesRepair(world.installation, [world.site]) as repair:
        return list(repair.proposals(ids, world.stop))


def mended(world: AuditWorld, proposals: Iterable[Proposal]) -> list[Mended]:
    with PrimariesRepair(world.installation, [world.site]) as repair:
        return list(repair.carry_out([one for one in proposals if one.copy], world.stop))


def test_what_is_missing_or_altered_is_written_back_and_the_rest_is_not_touched(world: AuditWorld) -> None:
    files = backed_up(world, 4)
    world.store.objects[key_of(files[0])] = b"rotten"
    del world.store.objects[key_of(files[1])]
    world.audit_stores()
    proposals = proposed(world, 1, 2, 3, 99)
    assert [(one.datafile.id, one.verdict, one.copy is not None) for one in proposals] == [
        (1, Verdict.PRIMARY_ALTERED, True),
        (2, Verdict.PRIMARY_MISSING, True),
        (3, Verdict.INTACT, False),
    ]
    assert world.store.objects[key_of(files[0])] == b"rotten"  # nothing is done by proposing
    done = [one.done for one in mended(world, proposals)]
    assert [world.store.objects[key_of(file)] for file in files] == [b"data 1", b"data 2", b"data 3", b"data 4"]
    first, second = done
    assert first is not None
    assert second is not None
    assert first.aside is not None
    assert world.store.objects[first.aside] == b"rotten"
    assert second.aside is None
    assert world.ledger.damage() == []
    assert [one.verdict for one in world.ledger.verdicts(datafile_id=1)] == [Verdict.PRIMARY_ALTERED, Verdict.INTACT]
    assert world.audit_stores().findings == []
    assert next(run for run in world.ledger.runs(PRIMARY) if run.verb == REPAIR_VERB).outcome == "ok"


def test_the_original_of_an_ingested_file_is_written_back_where_originals_are(world: AuditWorld) -> None:
    file = world.has(1, b"original", is_tabular=True)
    objects = world.store.objects
    objects[f"{key_of(file)}.orig"], objects[key_of(file)] = objects[key_of(file)], b"generated"
    world.run()
    del objects[f"{key_of(file)}.orig"]
    mended(world, proposed(world, 1))
    assert (objects[f"{key_of(file)}.orig"], objects[key_of(file)]) == (b"original", b"generated")


def test_without_a_registered_checksum_what_was_proven_is_written_back_only_where_nothing_lies(
    world: AuditWorld,
) -> None:
    files = [world.has(number, b"data", checksum=None) for number in (1, 2)]
    world.run()
    del world.store.objects[key_of(files[0])]
    world.store.objects[key_of(files[1])] = b"other"
    missing, other = proposed(world, 1, 2)
    assert (missing.verdict, other.verdict, other.copy) == (Verdict.PRIMARY_MISSING, Verdict.NO_REFERENCE, None)
    mended(world, [missing])
    assert world.store.objects[key_of(files[0])] == b"data"


@pytest.mark.parametrize("copy", [None, b"rotten"])
def test_without_an_intact_copy_nothing_can_be_done(world: AuditWorld, copy: bytes | None) -> None:
    file = backed_up(world, 1)[0]
    world.store.objects[key_of(file)] = b"lost"
    del world.copies[key_of(file)]
    if copy is not None:
        world.copies[key_of(file)] = copy
    (proposal,) = proposed(world, 1)
    assert (proposal.copy, proposal.said) == (None, "no intact copy is known")


def test_a_suspect_checksum_is_for_a_person(world: AuditWorld) -> None:
    file = backed_up(world, 1)[0]
    world.catalogue.rows_now[1] = replace(file, checksum=checksum_of(b"nobody's"))
    (proposal,) = proposed(world, 1)
    assert (proposal.verdict, proposal.copy) == (Verdict.CHECKSUM_SUSPECT, None)


def test_what_changed_since_it_was_shown_is_left_alone(world: AuditWorld) -> None:
    file = backed_up(world, 1)[0]
    world.store.objects[key_of(file)] = b"rotten"
    proposals = proposed(world, 1)
    world.catalogue.rows_now[1] = replace(file, label="renamed")
    (one,) = mended(world, proposals)
    assert one.done is None
    assert "has changed meanwhile" in str(one.trouble)
    assert world.store.objects[key_of(file)] == b"rotten"


def test_what_cannot_be_written_back_does_not_stop_the_others(world: AuditWorld) -> None:
    files = backed_up(world, 2)
    for file in files:
        del world.store.objects[key_of(file)]
    world.store.objects["neighbour"] = b"x"
    proposals = proposed(world, 1, 2)
    world.copies[key_of(files[0])] = b"rotten meanwhile"
    first, second = mended(world, proposals)
    assert first.trouble is not None
    assert second.done is not None
    assert next(run for run in world.ledger.runs(PRIMARY) if run.verb == REPAIR_VERB).outcome == "failures"


def test_of_a_store_that_is_not_ours_nothing_is_proposed(world: AuditWorld) -> None:
    backed_up(world, 1)
    world.stores["file"] = ExcludedStore("file", None, "it is somebody else's")  # type: ignore[arg-type, assignment]
    (proposal,) = proposed(world, 1)
    assert (proposal.copy, proposal.said, proposal.is_elsewhere) == (None, "it is somebody else's", True)


def test_beside_an_audit_of_the_stores_nothing_is_repaired(world: AuditWorld) -> None:
    with PrimariesRepair(world.installation, [world.site]), pytest.raises(LockHeld):
        PrimariesRepair(world.installation, [world.site]).__enter__()


def test_a_stop_leaves_the_rest(world: AuditWorld) -> None:
    file = backed_up(world, 1)[0]
    del world.store.objects[key_of(file)]
    world.store.objects["neighbour"] = b"x"
    proposals = proposed(world, 1)
    world.stop.set()
    assert mended(world, proposals) == []
    assert proposed(world, 1) == []


def test_what_lies_beside_a_damaged_copy_and_is_not_damaged_is_not_shown_as_such(world: AuditWorld) -> None:
    file = world.has(1)
    world.catalogue.rows_now[1] = replace(file, companions=(file.beside(PROVENANCE, ".prov-json.json"),))
    world.store.objects[f"{key_of(file)}.prov-json.json"] = b"{}"
    world.run()
    del world.copies[f"{key_of(file)}.prov-json.json"]
    world.audit()
    (line,) = damaged_lines(world.ledger, HERE, sorted(damaged_copies(world.ledger, [HERE])[HERE]))
    assert line.startswith(f"copy-missing  {key_of(file)}.prov-json.json  (datafile 1 prov, ")
