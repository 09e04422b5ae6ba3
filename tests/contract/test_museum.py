"""Planted damage on every kind of destination and store: each verdict is right, and nothing else is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.actions.audit import audit, audit_primaries
from dataverse_backup.actions.audit_events import AuditEnded, AuditRequest, Looked
from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.sites import Installation, Site
from dataverse_backup.allowance import NO_LIMITS
from dataverse_backup.catalogue.memory import MemoryCatalogue
from dataverse_backup.engine import Capacity, Stop
from dataverse_backup.fixity import Durability, VerifiedBy
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import Attempt, Copy, Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.threads import threads
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import NOON, datafile, key_of
from tests.contract.store_cases import SHELVES
from tests.museum import EXHIBITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.stores.base import Store
    from dataverse_backup.testing.places import Place
    from dataverse_backup.testing.shelves import Shelf
    from tests.museum import Exhibit

NAME = "offsite"
ALL = AuditRequest(NO_LIMITS)


def files() -> Iterator[tuple[Datafile, Exhibit]]:
    for number, exhibit in enumerate(EXHIBITS, 1):
        yield datafile(number, checksum=exhibit.checksum, size=exhibit.size, label=exhibit.what), exhibit


def site_at(open_destination: Callable[[Staging], Destination]) -> Site:
    return Site(NAME, "any", open_destination, _no_transfer, Capacity(1, 7, 1 << 20), open_workers=threads)


def _no_transfer(_: Staging) -> Any:
    raise AssertionError("an audit transfers nothing")


def _no_destination(_: Staging) -> Any:
    raise AssertionError("there are no copies")


def recorded(ledger: MemoryLedger, file: Datafile, exhibit: Exhibit) -> None:
    """The ledger knows a copy of *file*, as it was."""
    proof = Copy(
        key_of(file), exhibit.size, exhibit.checksum, file.checksum, VerifiedBy.READ_BACK, Durability.YES, NOON
    )
    attempt = Attempt(file, NAME, Status.OK, key_of(file), None, "", proof, "any", NOON, 1.0, exhibit.size)
    ledger.record(ledger.begin_run("backup", NAME), [attempt])


def test_every_damage_to_copies_is_found_and_nothing_else(place: Place) -> None:
    ledger, store = MemoryLedger(), MemoryStore("file")
    for file, exhibit in files():
        store.objects[key_of(file)] = exhibit.good
        recorded(ledger, file, exhibit)
        if (fate := exhibit.fate) is not None:
            place.plant(key_of(file), fate)
    with place.destination() as destination:
        destination.connect()
        destination.write_identity(ledger.id)
    ledger.claim_destination(NAME)
    opened: list[Destination] = []

    def open_destination(staging: Staging) -> Destination:
        opened.append(place.destination(staging))
        return opened[-1]

    catalogue = MemoryCatalogue(file for file, _ in files())
    installation = Installation(catalogue, ledger, {"file": store}, lambda: {"file": store})
    try:
        events = list(audit(installation, [site_at(open_destination)], ALL, Stop()))
    finally:
        for destination in opened:
            destination.close()
    findings = [one for event in events if isinstance(event, Looked) for one in event.findings]
    expected = {
        exhibit.what: Verdict.COPY_MISSING if exhibit.fate is None else Verdict.COPY_ALTERED
        for exhibit in EXHIBITS
        if exhibit.is_damaged
    }
    assert {one.datafile.label: one.verdict for one in findings} == expected
    assert {one.destination for one in findings} == {NAME}
    (ended,) = (event for event in events if isinstance(event, AuditEnded))
    assert (ended.ending, ended.intact) == (Ending.DAMAGE, len(EXHIBITS) - len(expected))


@pytest.fixture(params=sorted(SHELVES.keys() - {"shared"}))
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    """One of each kind of store."""
    with SHELVES[request.param](request) as shelf, shelf.store:
        yield shelf


def test_every_damage_to_primaries_is_found_and_nothing_else(shelf: Shelf) -> None:
    stores: dict[str, Store] = {"file": shelf.store}
    registered = [(shelf.registered(file), exhibit) for file, exhibit in files()]
    shelf.plant("10.5072/FK2/ABCDEF/other", b"x")
    for file, exhibit in registered:
        if (fate := exhibit.fate) is not None:
            shelf.plant(f"10.5072/FK2/ABCDEF/18b-{file.id}", fate)
    ledger = MemoryLedger()
    installation = Installation(MemoryCatalogue(file for file, _ in registered), ledger, stores, lambda: stores)
    events = list(audit_primaries(installation, [site_at(_no_destination)], ALL, Stop()))
    findings = [one for event in events if isinstance(event, Looked) for one in event.findings]
    expected = {
        exhibit.what: Verdict.PRIMARY_MISSING if exhibit.fate is None else Verdict.PRIMARY_ALTERED
        for exhibit in EXHIBITS
        if exhibit.is_damaged
    }
    assert {one.datafile.label: one.verdict for one in findings} == expected
    assert {one.destination for one in findings} == {PRIMARY}
