"""Objects beside a datafile that nobody can make again: .tab, auxiliary files, provenance (facts 1.7, 2.9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.manifests import write_manifests
from dataverse_backup.actions.rebuild import rebuild
from dataverse_backup.actions.repair import PrimariesRepair
from dataverse_backup.actions.restore_layouts import KeyLayout, Layout, NamedLayout, StoreLayout
from dataverse_backup.actions.restore_plan import Shelves, Wanted
from dataverse_backup.actions.restore_plan import make_plan as make_restore_plan
from dataverse_backup.datafile import AUXILIARY, MAIN, PROVENANCE, TAB, Datafile
from dataverse_backup.destinations.base import SUPERSEDED_PREFIX
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.engine import Stop
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import OWN_ALGORITHM, Algorithm, Checksum
from dataverse_backup.ledger.base import Status, Tally
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.plan import Scope
from dataverse_backup.planner import make_plan
from dataverse_backup.retrieval import Came, FolderTarget, Retriever, StoreTarget
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, datafile, key_of
from tests.unit.audit_world import AuditWorld
from tests.unit.memory_world import World, checksum_of

if TYPE_CHECKING:
    from dataverse_backup.actions.repair import Proposal
    from dataverse_backup.ledger.base import Ledger, Listed
    from dataverse_backup.retrieval import Retrieved, Target
    from dataverse_backup.stores.restorable import PutBack

TOP = "10.5072/FK2/ABCDEF/18b-1"
AUX = f"{AUXILIARY}dpJson_v1"
ORIGINAL, GENERATED, PRIVACY, ORIGIN = b"original", b"a\tb\n", b"{}", b'{"entity": {}}'
OBJECTS = {
    f"{TOP}.orig": ORIGINAL,
    TOP: GENERATED,
    f"{TOP}.dpJson_v1": PRIVACY,
    f"{TOP}.prov-json.json": ORIGIN,
}
"""What Dataverse keeps of an ingested file with provenance and an auxiliary file."""
COPIES = {
    TOP: ORIGINAL,
    f"{TOP}.tab": GENERATED,
    f"{TOP}.dpJson_v1": PRIVACY,
    f"{TOP}.prov-json.json": ORIGIN,
}


def ingested(number: int = 1, *, ingest: str = "row 1", size: int = len(GENERATED)) -> Datafile:
    """An ingested datafile with everything beside it."""
    file = datafile(
        number, size=size, checksum=checksum_of(ORIGINAL), is_tabular=True, label="a.tab", original_name="a.sav"
    )
    return replace(
        file,
        companions=(
            file.beside(AUX, ".dpJson_v1", checksum=checksum_of(PRIVACY, Algorithm.SHA1), size=len(PRIVACY)),
            file.beside(PROVENANCE, ".prov-json.json", version="a.sav"),
            file.beside(TAB, version=ingest, size=size),
        ),
    )


@dataclass
class CompanionWorld(World):
    """One ingested datafile with everything beside it."""

    def __post_init__(self) -> None:
        self.exists(ingested())
        self.store.objects |= OBJECTS

    def exists(self, file: Datafile) -> None:
        self.catalogue.rows_now[file.id] = file

    def lines(self) -> dict[str, Listed]:
        return {line.tag: line for line in self.ledger.listed(destination=HERE)}

    def statuses(self) -> dict[str, tuple[Status, Reason | None]]:
        return {tag: (line.status, line.reason) for tag, line in self.lines().items()}


@pytest.fixture
def world() -> CompanionWorld:
    return CompanionWorld()


ALL_OK = dict.fromkeys((MAIN, AUX, PROVENANCE, TAB), (Status.OK, None))


def test_everything_beside_a_datafile_is_copied_and_proven(world: CompanionWorld) -> None:
    ran = world.run()
    assert world.copies == COPIES
    assert world.statuses() == ALL_OK
    assert world.lines()[TAB].checksum == Checksum.of(GENERATED, OWN_ALGORITHM)
    assert [attempt.datafile.tag for attempt in ran.attempts] == [MAIN, AUX, PROVENANCE, TAB]


def test_what_counts_datafiles_counts_nothing_beside_them_until_it_fails(world: CompanionWorld) -> None:
    del world.store.objects[f"{TOP}.dpJson_v1"]
    assert world.run().plan.catalogue.files == 1
    assert [(tally.status, tally.files) for tally in world.ledger.tallies(HERE)] == [(Status.OK, 1)]
    beside = world.ledger.tallies(HERE, companions=True)
    missing = Tally(Status.FAIL_READ, Reason.MISSING, 1, len(PRIVACY))
    assert beside == [Tally(Status.OK, None, 2, len(GENERATED + ORIGIN)), missing]
    assert missing in world.ledger.tallies_of_all(HERE)


def test_a_second_run_has_nothing_to_do_and_looks_at_no_row(world: CompanionWorld) -> None:
    world.run()
    plan = world.run().plan
    assert (plan.work.files, plan.settled) == (0, 1)
    (mark,) = world.ledger.marks(HERE, world.ledger._layouts[HERE])
    assert mark[1] is not None


def test_a_datafile_is_looked_at_until_everything_beside_it_is_copied(world: CompanionWorld) -> None:
    del world.store.objects[TOP]
    world.run()
    assert world.statuses()[TAB] == (Status.FAIL_READ, Reason.MISSING)
    world.store.objects[TOP] = GENERATED
    assert world.run().only.datafile.tag == TAB
    assert world.statuses() == ALL_OK


def test_a_new_ingest_is_copied_and_the_former_tab_is_kept(world: CompanionWorld) -> None:
    world.run()
    world.exists(ingested(ingest="row 2", size=7))
    world.store.objects[TOP] = b"a\tb\tc\n\n"
    attempt = world.run().only
    assert (attempt.datafile.tag, attempt.reason) == (TAB, Reason.CONTENT_CHANGED)
    assert world.copies[f"{TOP}.tab"] == b"a\tb\tc\n\n"
    (former,) = (data for key, data in world.copies.items() if key.startswith(f"{SUPERSEDED_PREFIX}/{TOP}.tab/"))
    assert former == GENERATED


def test_a_row_that_says_something_else_has_the_bytes_beside_it_proven_again(world: CompanionWorld) -> None:
    world.run()
    world.exists(ingested(ingest="row 2"))
    assert (world.run().only.datafile.tag, world.copies) == (TAB, COPIES)
    assert world.run().plan.work.files == 0


def test_a_plan_that_was_not_carried_out_does_not_settle_anything(world: CompanionWorld) -> None:
    world.run()
    world.exists(ingested(ingest="row 2"))
    world.plan().close()  # a run that is killed as soon as it has planned
    assert world.run().only.datafile.tag == TAB


def test_a_tab_of_another_size_than_is_registered_is_not_believed(world: CompanionWorld) -> None:
    world.store.objects[TOP] = ORIGINAL  # Dataverse is just ingesting: the original still has its name (facts 1.7)
    world.run()
    assert world.statuses()[TAB] == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)
    assert f"{TOP}.tab" not in world.copies


def test_an_auxiliary_file_that_is_not_as_registered_fails(world: CompanionWorld) -> None:
    world.store.objects[f"{TOP}.dpJson_v1"] = b"[]"
    world.run()
    assert world.statuses()[AUX] == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)


def test_what_is_no_longer_beside_it_is_gone_and_its_copy_stays(world: CompanionWorld) -> None:
    world.run()
    world.exists(replace(ingested(), is_tabular=False, companions=ingested().companions[:2]))
    world.run()
    assert world.statuses() == ALL_OK | {TAB: (Status.GONE, None)}
    assert world.copies == COPIES
    assert world.run().plan.gone == 0
    world.exists(ingested())
    world.run()
    assert world.statuses() == ALL_OK


def test_a_datafile_that_is_gone_takes_everything_beside_it_along(world: CompanionWorld) -> None:
    world.run()
    del world.catalogue.rows_now[1]
    assert world.run().plan.gone == 1
    assert {status for status, _ in world.statuses().values()} == {Status.GONE}
    assert world.copies == COPIES


def test_a_datafile_that_is_called_like_the_copy_of_a_tab_gets_another_key(world: CompanionWorld) -> None:
    other = world.has(2, b"not a copy", storageidentifier="file://18b-1.tab")
    world.run()
    assert world.copies[f"{TOP}.tab"] == GENERATED
    assert world.copies[f"{TOP}.tab.datafile-2"] == b"not a copy"
    assert key_of(other) == f"{TOP}.tab"
    assert world.run().plan.work.files == 0


def test_a_limit_counts_datafiles_and_what_is_beside_comes_along(world: CompanionWorld) -> None:
    for number in (2, 3):
        world.has(number)
    assert world.run(limit=2).plan.work.files == 5
    assert {attempt.datafile.id for attempt in world.run(limit=1).attempts} == {3}
    assert world.run().plan.work.files == 0


def test_a_new_name_is_noted_beside_too_and_copies_nothing(world: CompanionWorld) -> None:
    world.run()
    file = replace(ingested(), label="b.tab")
    renamed = file.beside(AUX, ".dpJson_v1", checksum=checksum_of(PRIVACY, Algorithm.SHA1), size=len(PRIVACY))
    world.exists(replace(file, companions=(renamed,)))
    assert world.run().plan.work.files == 0
    assert world.lines()[AUX].label == "b.tab.dpJson_v1"


def test_a_repair_of_something_else_does_not_let_a_plan_forget_what_is_beside(world: CompanionWorld) -> None:
    world.exists(replace(ingested(), companions=()))
    world.run()
    world.exists(ingested())
    repair = Scope(HERE, world.stores, only=[2])
    make_plan(world.catalogue, world.ledger, repair).close()
    assert [attempt.datafile.tag for attempt in world.run().attempts] == [AUX, PROVENANCE, TAB]


# Back again


def retrieved(ledger: Ledger, destination: MemoryDestination, layout: Layout, target: Target) -> list[Retrieved]:
    with make_restore_plan(ledger, Wanted(everything=True), Shelves((HERE,), (HERE,)), layout) as plan:
        assert not plan.refused
        batches = list(plan.batches(10, 1 << 20))
    retriever = Retriever({HERE: lambda: destination}, target, delays=())
    return [result for batch in batches for result in retriever.fetch(batch).results]


@pytest.mark.parametrize("is_dataverse_there", [True, False])
def test_in_place_everything_lies_where_dataverse_looks_for_it(world: CompanionWorld, is_dataverse_there: bool) -> None:
    world.run()
    store = MemoryStore()
    read = world.catalogue.read if is_dataverse_there else None
    layout, target = StoreLayout({"file": store}, read), StoreTarget({"file": store})
    results = retrieved(world.ledger, world.destination, layout, target)
    assert [result.came for result in results] == [Came.RESTORED] * 4
    assert store.objects == OBJECTS


def test_a_former_tab_does_not_take_the_place_of_a_new_one(world: CompanionWorld) -> None:
    world.run()
    world.exists(ingested(ingest="row 2", size=7))
    layout = StoreLayout(world.stores, world.catalogue.read)
    with make_restore_plan(world.ledger, Wanted(everything=True), Shelves((HERE,), (HERE,)), layout) as plan:
        assert [(one.tag, error.reason) for one, error in plan.refused] == [(TAB, Reason.SOURCE_DIFFERS)]
        assert plan.work.files == 3


def test_a_folder_gets_the_keys_or_the_names_of_people(world: CompanionWorld) -> None:
    world.run()
    folder = MemoryDestination("/keys")
    retrieved(world.ledger, world.destination, KeyLayout(), FolderTarget(folder))
    assert folder.objects == COPIES
    named = MemoryDestination("/names")
    retrieved(world.ledger, world.destination, NamedLayout(), FolderTarget(named))
    names = {key.rpartition("/")[2]: data for key, data in named.objects.items()}
    assert names == {
        "a.sav": ORIGINAL,
        "a.tab": GENERATED,
        "a.tab.dpJson_v1": PRIVACY,
        "a.tab.prov-json.json": ORIGIN,
    }


def test_a_new_ledger_knows_everything_that_lay_beside(world: CompanionWorld) -> None:
    world.run()
    assert write_manifests(world.ledger, world.destination, Stop()) == []
    ledger = MemoryLedger()
    found = rebuild(ledger, world.destination)
    assert (found.is_well, found.noted) == (True, 4)
    assert list(ledger.kept()) == [replace(one, status=Status.PENDING) for one in world.ledger.kept()]
    world.ledger = ledger
    assert {attempt.bytes_sent for attempt in world.run().attempts} == {0}
    assert world.statuses() == ALL_OK


# Audits


@pytest.fixture
def audited() -> AuditWorld:
    world = AuditWorld()
    world.catalogue.rows_now[1] = ingested()
    world.store.objects |= OBJECTS
    world.run()
    return world


def test_damage_of_a_copy_is_found_and_the_next_backup_makes_it_good(audited: AuditWorld) -> None:
    audited.copies[f"{TOP}.tab"] = b"a\tX\n"
    del audited.copies[f"{TOP}.prov-json.json"]
    found = {one.datafile.tag: one.verdict for one in audited.audit().findings}
    assert found == {TAB: Verdict.COPY_ALTERED, PROVENANCE: Verdict.COPY_MISSING}
    failing = {line.tag for line in audited.ledger.listed(status=Status.FAIL_WRITE)}
    assert failing == {TAB, PROVENANCE}
    audited.run()
    assert {key: audited.copies[key] for key in COPIES} == COPIES
    assert not audited.audit().findings
    assert not list(audited.ledger.listed(status=Status.FAIL_WRITE))


def test_the_primary_of_a_datafile_is_judged_by_its_own_copy(audited: AuditWorld) -> None:
    audited.store.objects[f"{TOP}.orig"] = b"rotten!!"
    found = [(one.datafile.tag, one.verdict) for one in audited.audit_stores().findings]
    assert found == [(MAIN, Verdict.PRIMARY_ALTERED)]


def test_the_primaries_of_companions_are_held_to_what_is_registered_or_was_proven(audited: AuditWorld) -> None:
    told = audited.audit_stores()
    assert (told.findings, told.ended.intact) == ([], 4)
    audited.store.objects[TOP] = b"a\tX\n"
    audited.store.objects[f"{TOP}.dpJson_v1"] = b"[]"
    del audited.store.objects[f"{TOP}.prov-json.json"]
    found = {one.datafile.tag: one for one in audited.audit_stores().findings}
    assert {tag: one.verdict for tag, one in found.items()} == {
        TAB: Verdict.NO_REFERENCE,
        AUX: Verdict.PRIMARY_ALTERED,
        PROVENANCE: Verdict.PRIMARY_MISSING,
    }
    for one in found.values():
        assert "repair --stores --file 1` writes it back" in one.message
    audited.store.objects |= OBJECTS
    assert audited.audit_stores().findings == []


def test_what_was_said_of_a_companion_is_forgotten_when_dataverse_has_it_no_more(audited: AuditWorld) -> None:
    audited.store.objects[f"{TOP}.dpJson_v1"] = b"[]"
    audited.audit_stores()
    assert audited.ledger.doubtful_companions() == [(1, AUX)]
    row = audited.catalogue.rows_now[1]
    assert isinstance(row, Datafile)
    audited.catalogue.rows_now[1] = replace(row, companions=tuple(one for one in row.companions if one.tag != AUX))
    assert audited.audit_stores().findings == []
    assert audited.ledger.damage() == []


def proposed(world: AuditWorld, number: int = 1) -> list[Proposal]:
    with PrimariesRepair(world.installation, [world.site]) as repair:
        return list(repair.proposals([number], world.stop))


def mended(world: AuditWorld, proposals: list[Proposal]) -> list[PutBack | None]:
    with PrimariesRepair(world.installation, [world.site]) as repair:
        return [one.done for one in repair.carry_out([one for one in proposals if one.copy], world.stop)]


def test_a_repair_writes_back_what_is_missing_or_altered_beside_a_datafile(audited: AuditWorld) -> None:
    audited.store.objects[TOP] = b"a\tX\n"
    audited.store.objects[f"{TOP}.dpJson_v1"] = b"[]"
    del audited.store.objects[f"{TOP}.prov-json.json"]
    audited.audit_stores()
    proposals = proposed(audited)
    assert {one.datafile.tag: (one.verdict, one.copy is not None) for one in proposals} == {
        MAIN: (Verdict.INTACT, False),
        TAB: (Verdict.NO_REFERENCE, True),
        AUX: (Verdict.PRIMARY_ALTERED, True),
        PROVENANCE: (Verdict.PRIMARY_MISSING, True),
    }
    assert "nothing is registered" in next(one.said for one in proposals if one.datafile.tag == TAB)
    done = mended(audited, proposals)
    objects = audited.store.objects
    assert {name: objects[name] for name in OBJECTS} == OBJECTS
    aside = [objects[one.aside] for one in done if one is not None and one.aside]
    assert sorted(aside) == [b"[]", b"a\tX\n"]
    assert audited.ledger.damage() == []
    assert [one.verdict for one in proposed(audited)] == [Verdict.INTACT] * 4


def test_a_copy_of_a_former_ingest_repairs_no_tab(audited: AuditWorld) -> None:
    audited.catalogue.rows_now[1] = ingested(ingest="row 2")
    audited.store.objects[TOP] = b"a\tX\n"
    assert TAB not in {one.datafile.tag for one in proposed(audited)}
    del audited.store.objects[TOP]
    (tab,) = (one for one in proposed(audited) if one.datafile.tag == TAB)
    assert (tab.verdict, tab.copy, tab.said) == (Verdict.PRIMARY_MISSING, None, "no intact copy is known")


def test_a_damaged_copy_repairs_nothing_beside_a_datafile(audited: AuditWorld) -> None:
    del audited.store.objects[f"{TOP}.prov-json.json"]
    audited.copies[f"{TOP}.prov-json.json"] = b"{}"
    (one,) = (one for one in proposed(audited) if one.datafile.tag == PROVENANCE)
    assert (one.verdict, one.copy) == (Verdict.PRIMARY_MISSING, None)


def test_a_companion_that_changed_since_the_backup_is_for_the_next_backup(audited: AuditWorld) -> None:
    audited.catalogue.rows_now[1] = ingested(ingest="row 2")
    audited.store.objects[TOP] = b"a\tX\n"
    told = audited.audit_stores()
    assert (told.findings, told.ended.intact) == ([], 3)
