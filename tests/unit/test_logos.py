"""Logos of datasets, which no column of Dataverse's database tells of (facts 2.9)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.actions.explain import explain
from dataverse_backup.actions.manifests import write_manifests
from dataverse_backup.actions.rebuild import rebuild
from dataverse_backup.actions.repair import PrimariesRepair
from dataverse_backup.actions.restore_layouts import StoreLayout
from dataverse_backup.actions.restore_plan import Shelves, Wanted
from dataverse_backup.actions.restore_plan import make_plan as make_restore_plan
from dataverse_backup.datafile import DATASET, LOGO, Dataset
from dataverse_backup.destinations.base import SUPERSEDED_PREFIX
from dataverse_backup.engine import Stop
from dataverse_backup.errors import DataverseBackupError, Reason, SourceRefused
from dataverse_backup.ledger.base import LogoTurn, Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.logos import LogoAnswers, choose
from dataverse_backup.plan import Scope
from dataverse_backup.planner import make_plan
from dataverse_backup.retrieval import Retriever, StoreTarget
from dataverse_backup.stores.memory import Fault, MemoryStore
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, datafile
from tests.unit.audit_world import EVERYTHING, AuditWorld
from tests.unit.memory_world import World, checksum_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.actions.repair import Proposal
    from dataverse_backup.datafile import Datafile

SMALL = f"{LOGO}:thumb48"


def dataset(number: int) -> Datafile:
    identifier = f"FK2/SET{number}"
    return replace(
        datafile(number, size=None, checksum=None, label="", storageidentifier=f"file://10.5072/{identifier}"),
        dataset=Dataset(f"doi:10.5072/{identifier}", "10.5072", identifier),
        content_type="",
        tag=DATASET,
    )


def name_of(number: int, tag: str = LOGO) -> str:
    return f"10.5072/FK2/SET{number}/{dataset(number).logo(tag).label}"


@dataclass
class LogoWorld(World):
    """Datasets, some with logos."""

    def has_dataset(self, number: int, **logos: bytes) -> None:
        self.catalogue.rows_now[number] = dataset(number)
        self.upload(number, logos)

    def upload(self, number: int, logos: Mapping[str, bytes]) -> None:
        for kind, data in logos.items():
            self.store.objects[name_of(number, f"{LOGO}:{kind}" if kind != LOGO else LOGO)] = data

    def statuses(self) -> dict[tuple[int, str], tuple[Status, Reason | None]]:
        lines = self.ledger.listed(destination=HERE)
        return {(line.datafile_id, line.tag): (line.status, line.reason) for line in lines}


@pytest.fixture
def world() -> LogoWorld:
    world = LogoWorld()
    world.has_dataset(10, logo=b"picture", thumb48=b"small")
    world.has_dataset(20)
    world.has(11)
    return world


OK = Status.OK, None


def test_a_logo_is_found_copied_and_proven_with_what_was_made_of_it(world: LogoWorld) -> None:
    ran = world.run()
    assert world.copies[name_of(10)] == b"picture"
    assert world.copies["10.5072/FK2/SET10/dataset_logo.thumb48"] == b"small"
    assert world.statuses() == {(10, LOGO): OK, (10, SMALL): OK, (11, "main"): OK}
    assert [attempt.datafile.place for attempt in ran.attempts] == [(10, LOGO), (10, SMALL), (11, "")]
    assert (ran.plan.catalogue.files, ran.plan.companions) == (1, 2)


def test_a_second_run_has_nothing_to_do(world: LogoWorld) -> None:
    world.run()
    assert world.run().plan.work.files == 0


def test_a_logo_that_is_uploaded_later_is_found(world: LogoWorld) -> None:
    world.run()
    world.upload(20, {LOGO: b"late"})
    assert world.run().only.datafile.place == (20, LOGO)


def test_another_upload_is_noticed_and_the_former_logo_is_kept(world: LogoWorld) -> None:
    world.run()
    world.upload(10, {LOGO: b"another"})
    attempt = world.run().only
    assert (attempt.datafile.place, attempt.reason) == ((10, LOGO), Reason.CONTENT_CHANGED)
    assert world.copies[name_of(10)] == b"another"
    (former,) = (data for key, data in world.copies.items() if key.startswith(f"{SUPERSEDED_PREFIX}/{name_of(10)}/"))
    assert former == b"picture"
    assert world.run().plan.work.files == 0


def test_a_logo_that_was_deleted_is_gone_its_copy_stays_and_it_may_come_back(world: LogoWorld) -> None:
    world.run()
    del world.store.objects[name_of(10)]
    world.run()
    assert world.statuses()[10, LOGO] == (Status.GONE, None)
    assert world.copies[name_of(10)] == b"picture"
    world.upload(10, {LOGO: b"picture"})
    assert world.run().only.bytes_sent == 0
    assert world.statuses()[10, LOGO] == OK


def test_a_dataset_that_was_deleted_takes_its_logos_along(world: LogoWorld) -> None:
    world.run()
    del world.catalogue.rows_now[10]
    world.run()
    assert {status for (number, _), (status, _) in world.statuses().items() if number == 10} == {Status.GONE}


def test_where_nobody_wants_logos_any_more_they_are_gone_and_what_lies_there_stays(world: LogoWorld) -> None:
    world.run()
    for number in (10, 20):  # as a catalogue that was told so lists none
        del world.catalogue.rows_now[number]
    before = dict(world.copies)
    world.run()
    assert world.copies == before


def test_a_store_that_is_away_takes_no_logo_away_and_is_told(world: LogoWorld) -> None:
    world.run()
    world.store.lost = True
    with world.plan() as plan:
        assert set(plan.lost_stores) == {"file"}
    assert world.statuses()[10, LOGO] == OK
    world.store.lost = False
    assert world.run().plan.work.files == 0


def test_a_store_that_is_away_and_has_no_logo_is_nobodys_loss(world: LogoWorld) -> None:
    world.stores["other"] = MemoryStore("other")
    world.stores["other"].lost = True
    world.catalogue.rows_now[30] = replace(dataset(30), store_id="other")
    assert not world.run().plan.lost_stores


class Unmounted(MemoryStore):
    """Answers that nothing lies there, and that it is empty when it is asked for itself."""

    def logos(self, dataset: Datafile) -> dict[str, str]:
        del dataset
        return {}


def test_an_empty_folder_where_a_disk_was_mounted_takes_no_logo_away(world: LogoWorld) -> None:
    world.run()
    world.stores["file"] = Unmounted()
    world.stores["file"].lost = True
    with world.plan() as plan:
        assert set(plan.lost_stores) == {"file"}
    assert world.statuses()[10, LOGO] == OK


def test_a_dataset_that_cannot_be_asked_loses_nothing_and_is_told(world: LogoWorld) -> None:
    world.run()
    world.store.faults[name_of(10)] = Fault(on_open=SourceRefused)
    plan = world.run().plan
    assert plan.work.files == 0
    assert world.statuses()[10, LOGO] == OK
    assert [str(one) for one in plan.not_asked] == ["1 dataset was not asked for a logo: file: refused"]


def test_thousands_of_datasets_of_a_store_that_is_away_are_told_in_one_line(world: LogoWorld) -> None:
    world.stores["other"] = MemoryStore("other")
    world.stores["other"].lost = True
    for number in range(1_000, 3_000):
        world.catalogue.rows_now[number] = replace(dataset(number), store_id="other")
    told = [str(one) for one in world.run().plan.not_asked]
    assert told == ["2,000 datasets were not asked for a logo: other: the store is lost, as planned"]


class Counting(MemoryStore):
    """Counts how often each dataset is asked for."""

    asked: Counter[int]

    def logos(self, dataset: Datafile) -> dict[str, str]:
        self.asked[dataset.id] += 1
        return super().logos(dataset)


def test_the_plans_of_one_run_ask_for_each_dataset_once_and_find_the_same(world: LogoWorld) -> None:
    store = world.stores["file"] = Counting("file", world.store.objects)
    store.asked = Counter()
    logos = LogoAnswers(world.stores, are_kept=True)
    for name in ("here", "there", "elsewhere"):
        with make_plan(world.catalogue, world.ledger, Scope(name, world.stores, logos=logos)) as plan:
            assert [work.datafile.place for work in plan.works()] == [(10, LOGO), (10, SMALL), (11, "")]
    assert store.asked == {10: 1, 20: 1}


def test_a_logo_that_cannot_be_read_fails_until_it_can(world: LogoWorld) -> None:
    world.plan().close()  # a run that is killed as soon as it has planned
    world.store.faults[name_of(10)] = Fault(on_open=SourceRefused)
    world.run()
    assert world.statuses()[10, LOGO] == (Status.FAIL_READ, Reason.REFUSED)
    world.store.faults.clear()
    world.run()
    assert world.statuses()[10, LOGO] == OK


def test_datasets_of_stores_that_nobody_configured_are_passed_by(world: LogoWorld) -> None:
    world.catalogue.rows_now[30] = replace(dataset(30), store_id="nobodys")
    assert not world.run().plan.unknown_stores


def test_a_limit_counts_a_dataset_like_a_datafile(world: LogoWorld) -> None:
    assert [attempt.datafile.id for attempt in world.run(limit=1).attempts] == [11]
    assert world.statuses()[10, LOGO] == (Status.PENDING, None)
    assert [attempt.datafile.id for attempt in world.run(limit=1).attempts] == [10, 10]


def test_a_repair_of_one_copy_asks_no_other_dataset(world: LogoWorld) -> None:
    world.run()
    world.upload(20, {LOGO: b"late"})
    del world.copies[name_of(10)]
    world.ledger.doubt(HERE)
    with make_plan(world.catalogue, world.ledger, Scope(HERE, world.stores, only=[10])) as plan:
        assert [work.datafile.place for work in plan.works()] == [(10, LOGO), (10, SMALL)]
    assert (20, LOGO) not in world.statuses()


def test_a_dry_run_forgets_whom_it_asked(world: LogoWorld) -> None:
    world.plan(dry_run=True).close()
    assert world.ledger.logo_turn(HERE) == LogoTurn()
    assert (10, LOGO) not in world.statuses()


# Whose turn it is

IDS = st.lists(st.integers(1, 60), unique=True).map(sorted)


@given(IDS, st.sets(st.integers(1, 60)), st.integers(1, 10))
def test_every_dataset_is_asked_at_once_and_again_after_a_known_number_of_runs(
    there: list[int], known: set[int], others: int
) -> None:
    first = choose(there, known, LogoTurn(), others)
    assert list(first.ids) == there
    turn, asked = first.turn, set[int]()
    for _ in range(-(-len(there) // others)):
        choice = choose(there, known, turn, others)
        assert set(choice.ids) >= known & set(there)
        assert list(choice.ids) == sorted(choice.ids)
        assert len(choice.ids) <= others + len(known)
        asked |= set(choice.ids)
        turn = choice.turn
    assert asked == set(there)


@given(IDS, IDS, st.integers(1, 10))
def test_new_datasets_are_asked_whosever_turn_it_is(before: list[int], after: list[int], others: int) -> None:
    turn = choose(before, [], LogoTurn(), others).turn
    new = {number for number in after if number > max(before, default=0)}
    assert new <= set(choose(after, [], turn, others).ids)


# Back again, and audits


def test_in_place_it_lies_where_dataverse_looks_for_it(world: LogoWorld) -> None:
    world.run()
    for read in (world.catalogue.read, None):
        store = MemoryStore()
        layout = StoreLayout({"file": store}, read)
        with make_restore_plan(
            world.ledger, Wanted(datasets=("doi:10.5072/FK2/SET10",)), Shelves((HERE,), (HERE,)), layout
        ) as plan:
            batches = list(plan.batches(10, 1 << 20))
        retriever = Retriever({HERE: lambda: world.destination}, StoreTarget({"file": store}), delays=())
        assert all(not result.errors for batch in batches for result in retriever.fetch(batch).results)
        assert store.objects == {name_of(10): b"picture", name_of(10, SMALL): b"small"}


def test_a_new_ledger_knows_logos_from_the_manifests(world: LogoWorld) -> None:
    world.run()
    assert write_manifests(world.ledger, world.destination, Stop()) == []
    ledger = MemoryLedger()
    assert rebuild(ledger, world.destination).is_well
    world.ledger = ledger
    assert {attempt.bytes_sent for attempt in world.run().attempts} == {0}
    assert world.statuses()[10, LOGO] == OK


class Rotting(MemoryStore):
    """Says of what rotted on its disk what it said before, as size and time of a file do."""

    def __init__(self) -> None:
        super().__init__()
        self.rotten: dict[str, bytes] = {}

    def logos(self, dataset: Datafile) -> dict[str, str]:
        told = super().logos(dataset)
        for tag in told:
            name = f"{dataset.dataset.storage_path}/{dataset.logo(tag).label}"
            if name in self.rotten:
                told[tag] = str(checksum_of(self.rotten[name]))
        return told


@dataclass
class AuditedLogos(AuditWorld, LogoWorld):
    """Logos, and audits."""

    stores: dict[str, MemoryStore] = field(default_factory=lambda: {"file": Rotting()})


def rot(world: AuditedLogos, name: str) -> None:
    store = world.stores["file"]
    assert isinstance(store, Rotting)
    store.rotten[name], store.objects[name] = store.objects[name], b"rotten"


@pytest.fixture
def audited() -> AuditedLogos:
    world = AuditedLogos()
    world.has_dataset(10, logo=b"picture", thumb48=b"small")
    world.run()
    return world


def test_damage_of_a_copy_is_found_and_the_next_backup_makes_it_good(audited: AuditedLogos) -> None:
    audited.copies[name_of(10)] = b"pXcture"
    del audited.copies[name_of(10, SMALL)]
    found = {one.datafile.tag: one.verdict for one in audited.audit().findings}
    assert found == {LOGO: Verdict.COPY_ALTERED, SMALL: Verdict.COPY_MISSING}
    failing = {line.tag for line in audited.ledger.listed(status=Status.FAIL_WRITE)}
    assert failing == {LOGO, SMALL}
    audited.run()
    assert audited.copies[name_of(10)] == b"picture"
    assert not audited.audit().findings
    assert {status for status, _ in audited.statuses().values()} == {Status.OK}


def test_logos_in_the_stores_are_held_to_what_was_proven(audited: AuditedLogos) -> None:
    told = audited.audit_stores()
    assert (told.findings, told.ended.intact) == ([], 2)
    rot(audited, name_of(10))
    del audited.store.objects[name_of(10, SMALL)]
    found = {one.datafile.tag: one for one in audited.audit_stores().findings}
    assert {tag: one.verdict for tag, one in found.items()} == {
        LOGO: Verdict.NO_REFERENCE,
        SMALL: Verdict.PRIMARY_MISSING,
    }
    assert "whether somebody deleted it" in found[SMALL].message
    for one in found.values():
        assert "repair --stores --file 10` writes it back" in one.message


def test_an_upload_since_the_backup_and_a_deletion_that_it_saw_are_no_finding(audited: AuditedLogos) -> None:
    audited.upload(10, {LOGO: b"another"})
    assert (audited.audit_stores().findings, audited.audit_stores().ended.intact) == ([], 1)
    del audited.store.objects[name_of(10, SMALL)]
    audited.audit_stores()
    assert audited.ledger.doubtful_companions() == [(10, SMALL)]
    audited.run()
    assert audited.audit_stores().findings == []
    assert audited.ledger.damage() == []


def test_logos_that_were_proven_lately_are_not_read_again(audited: AuditedLogos) -> None:
    audited.audit_stores()
    rot(audited, name_of(10))
    assert audited.audit_stores(replace(EVERYTHING, every=timedelta(days=1))).findings == []
    assert audited.audit_stores().ended.verdicts[Verdict.NO_REFERENCE] == 1


def test_the_logos_of_one_dataset_are_audited_with_it(audited: AuditedLogos) -> None:
    audited.has_dataset(30, logo=b"other picture")
    audited.run()
    rot(audited, name_of(10))
    rot(audited, name_of(30))
    (found,) = audited.audit_stores(replace(EVERYTHING, dataset="doi:10.5072/FK2/SET30")).findings
    assert found.datafile.place == (30, LOGO)


def test_a_store_that_is_away_has_lost_no_logo(audited: AuditedLogos) -> None:
    audited.stores["file"] = Unmounted()
    audited.stores["file"].lost = True
    told = audited.audit_stores()
    assert (told.findings, list(told.ended.lost_stores)) == ([], ["file"])


def proposed(world: AuditedLogos) -> list[Proposal]:
    with PrimariesRepair(world.installation, [world.site]) as repair:
        return list(repair.proposals([10], world.stop))


def test_a_repair_writes_logos_back_and_keeps_what_lay_there(audited: AuditedLogos) -> None:
    rot(audited, name_of(10))
    del audited.store.objects[name_of(10, SMALL)]
    proposals = proposed(audited)
    assert [(one.datafile.tag, one.verdict) for one in proposals] == [
        (LOGO, Verdict.NO_REFERENCE),
        (SMALL, Verdict.PRIMARY_MISSING),
    ]
    with PrimariesRepair(audited.installation, [audited.site]) as repair:
        first, second = repair.carry_out(proposals, audited.stop)
    assert (first.trouble, second.trouble) == (None, None)
    objects = audited.store.objects
    assert (objects[name_of(10)], objects[name_of(10, SMALL)]) == (b"picture", b"small")
    assert first.done is not None
    assert first.done.aside is not None
    assert objects[first.done.aside] == b"rotten"
    audited.stores["file"].rotten.clear()  # type: ignore[attr-defined]
    assert [one.verdict for one in proposed(audited)] == [Verdict.INTACT] * 2


def test_a_repair_leaves_another_upload_and_what_was_noted_as_deleted(audited: AuditedLogos) -> None:
    audited.upload(10, {LOGO: b"another"})
    del audited.store.objects[name_of(10, SMALL)]
    audited.run()
    audited.upload(10, {LOGO: b"and another"})
    assert proposed(audited) == []


def test_a_dataset_is_explained_by_its_logos_and_without_one_it_is_nothing(world: LogoWorld) -> None:
    world.run()
    (file,) = explain("10", world.ledger, lambda: world.catalogue, world.stores).files
    assert (file.is_dataset, file.objects) == (True, ())
    assert [place.tag for place in file.places] == [LOGO, SMALL]
    with pytest.raises(DataverseBackupError, match="nothing is known of 20"):
        explain("20", world.ledger, lambda: world.catalogue, world.stores)
