"""A store of type ``swift``: objects in the containers of one or more Swift services (facts 2.4)."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dataverse_backup.datafile import LOGO_PREFIX, LOGOS, after_store
from dataverse_backup.errors import SourceChanged, SourceMissing, SourceRefused, SourceUnreadable, StoreLost
from dataverse_backup.services.swift import SWIFT_ERRORS, Swift, diagnose
from dataverse_backup.services.swift_object import ObjectChanged, SwiftObject, UnusableAnswer
from dataverse_backup.services.trouble import Trouble
from dataverse_backup.stores.base import Store, ordered_names
from dataverse_backup.stores.listable import ListableStore, StoredObject
from dataverse_backup.stores.paths import checked_name
from dataverse_backup.stores.restorable import PutBack, Restorable
from dataverse_backup.stores.service_errors import source_error
from dataverse_backup.stores.swift_put_back import SwiftPutBack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.services.swift import SwiftAccess
    from dataverse_backup.services.trouble import Diagnosis
    from dataverse_backup.stores.restorable import Opening

_FORM = "its storage identifier is not <endpoint>:<container>:<object>"
_ROW_HINT = "look at the row's storage identifier"
_OF_DATAVERSE = re.compile(r"(doi|hdl|perma)[^a-z0-9].*", re.DOTALL)
"""Containers of Dataverse: its names begin with the protocol of the PID and a separator (facts 2.4)."""


@dataclass(frozen=True, slots=True)
class _Address:
    """Where one object is."""

    endpoint: str
    container: str
    name: str

    @classmethod
    def parse(cls, store_id: str, text: str) -> _Address:
        """What ``endpoint:container:object`` says. Raises SourceRefused.

        Dataverse 4.9 registered containers with a slash, which no container has: the rest went into the object's name.
        """
        endpoint, _, rest = checked_name(store_id, text).partition(":")
        container, colon, name = rest.partition(":")
        container, slash, folder = container.partition("/")
        address = cls(endpoint, container, f"{folder}{slash}{name}" if slash else name)
        problem = address.problem() if colon else _FORM
        if problem:
            raise SourceRefused(store_id, text, problem, _ROW_HINT)
        return address

    def problem(self) -> str | None:
        """Why nothing can be asked for at this address."""
        if not (self.endpoint and self.container and self.name):
            return _FORM
        if any(part in (".", "..") for part in (self.container, *self.name.split("/"))):
            return "a '.' or '..' part would lead out of the container"
        return None

    def __str__(self) -> str:
        return f"{self.endpoint}:{self.container}:{self.name}"


class SwiftStore(Store, Restorable, ListableStore):
    """Objects whose storage identifiers say where they are: endpoint, container and name.

    Static and dynamic large objects are read as the one object that they are. A read that breaks goes on where it
    broke as long as it is the same object; another one under the name is SourceChanged.
    """

    def __init__(self, store_id: str, endpoints: Mapping[str, SwiftAccess], *, page: int = 10_000) -> None:
        """Read through *endpoints*, by the names that Dataverse gives them.

        *page* is how many objects are listed with one request; Swift gives no more than 10,000.
        """
        self.id = store_id
        self._page = page
        self._accounts = frozenset(
            (name, access.auth_url, access.user, access.project) for name, access in endpoints.items()
        )
        self._services = {name: Swift(access) for name, access in endpoints.items()}

    def names(self, datafile: Datafile) -> tuple[str, ...]:
        its = datafile.location
        if datafile.is_logo:  # a dataset's identifier ends with the container (facts 2.4)
            its = f"{after_store(datafile.storageidentifier)}:{its}"
        return ordered_names(str(_Address.parse(self.id, its)), datafile)

    def object_name(self, datafile: Datafile) -> str:
        _, _, rest = datafile.location.partition(":")
        name = rest.partition(":")[2] or datafile.location
        return name.removeprefix(f"{datafile.dataset.identifier}/")

    def open(self, name: str) -> SwiftStream:
        address = _Address.parse(self.id, name)
        service = self._service_at(address, name)
        try:
            return SwiftStream(service, address, place=self.id, key=name)
        except SourceMissing:
            self.probe()  # in an account that is empty everything is missing, which says nothing about this object
            raise

    def logos(self, dataset: Datafile) -> dict[str, str]:
        """As ``Store.logos``: one request. A dataset that names no container here has none (facts 2.4)."""
        its = after_store(dataset.storageidentifier)
        if its.count(":") != 1:
            return {}
        name = f"{its}:{LOGO_PREFIX}"
        address = _Address.parse(self.id, name)
        try:
            with _source_errors(self.id, name), self._service_at(address, name).connection() as connection:
                _, found = connection.get_container(address.container, prefix=address.name)
        except SourceMissing:  # the container
            return {}
        there = {one["name"].rpartition("/")[2]: one for one in found if "name" in one}
        ours = {tag: there[name] for tag, name in LOGOS.items() if name in there}
        return {tag: f"{one['bytes']} bytes, {one['hash']}, {one['last_modified']}" for tag, one in ours.items()}

    def put_back(self, name: str, opening: Opening, checksum: Checksum) -> PutBack:
        address = _Address.parse(self.id, name)
        one = SwiftPutBack(self.id, self._service_at(address, name), address.container, address.name)
        done = one.put(opening, checksum)
        return replace(done, name=name, aside=done.aside and str(replace(address, name=done.aside)))

    def _service_at(self, address: _Address, name: str) -> Swift:
        service = self._services.get(address.endpoint)
        if service is None:
            hint = f"add authUrl.{address.endpoint} and the other keys of this endpoint to [Store {self.id}]"
            raise SourceRefused(self.id, name, "the configuration does not know its endpoint", hint)
        return service

    @property
    def place(self) -> tuple[str, frozenset[tuple[str, ...]]]:
        return "swift", self._accounts

    def entries(self) -> Iterator[StoredObject]:
        """As ``ListableStore.entries``: of the containers whose names are such as Dataverse gives.

        The account may have others, of somebody else. What is written in many segments has size 0 in some listings.
        """
        self.probe()
        for endpoint, service in self._services.items():
            try:
                yield from self._listed(endpoint, service)
            except SWIFT_ERRORS as error:
                raise self._lost(endpoint, diagnose(error)) from error

    def _listed(self, endpoint: str, service: Swift) -> Iterator[StoredObject]:
        account = _paged(service, lambda connection, marker: connection.get_account(marker, self._page))
        for container in (one["name"] for one in account if _OF_DATAVERSE.fullmatch(one["name"])):
            for one in self._in_container(service, container):
                name = str(_Address(endpoint, container, one["name"]))
                yield StoredObject(name, int(one["bytes"]), _time(one.get("last_modified")))

    def _in_container(self, service: Swift, container: str) -> Iterator[Any]:
        """What lies there; nothing where it has gone meanwhile."""
        try:
            yield from _paged(
                service, lambda connection, marker: connection.get_container(container, marker, self._page)
            )
        except SWIFT_ERRORS as error:
            if diagnose(error).trouble is not Trouble.MISSING:
                raise

    def probe(self) -> None:
        for endpoint, service in self._services.items():
            self._probe(endpoint, service)

    def _probe(self, endpoint: str, service: Swift) -> None:
        try:
            with service.connection() as connection:
                headers = connection.head_account()
        except SWIFT_ERRORS as error:
            diagnosis = diagnose(error)
            if diagnosis.trouble is Trouble.REFUSED:
                return  # it knows us, and lets us read containers but not the account
            raise self._lost(endpoint, diagnosis) from error
        if headers.get("x-account-container-count") == "0":
            hint = "is this the project where Dataverse keeps its files?"
            raise StoreLost(f"{self.id}: the account at endpoint {endpoint} is empty", hint)

    def _lost(self, endpoint: str, diagnosis: Diagnosis) -> StoreLost:
        return StoreLost(f"{self.id}: endpoint {endpoint}: {diagnosis.said}", diagnosis.hint)

    def close(self) -> None:
        for service in self._services.values():
            service.close()


def _paged(service: Swift, ask: Callable[[Any, str], Any]) -> Iterator[Any]:
    """Everything in a listing, page by page."""
    marker = ""
    while True:
        with service.connection() as connection:
            _, found = ask(connection, marker)
        if not found:
            return
        yield from found
        marker = found[-1]["name"]


def _time(text: str | None) -> datetime | None:
    """The time of a listing, which is UTC and does not say so."""
    with suppress(ValueError):
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    return None


class SwiftStream:
    """The bytes of one object."""

    def __init__(self, service: Swift, address: _Address, *, place: str, key: str) -> None:
        """Open the object at *address*; *place* and *key* name it in errors. Raises SourceError or StoreLost."""
        self.place, self.key = place, key
        with _source_errors(place, key):
            self._object = SwiftObject(service, address.container, address.name)
        self.size = self._object.size

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises SourceError."""
        with _source_errors(self.place, self.key):
            return self._object.read(length)

    def close(self) -> None:
        """Give back the connection; may be called twice."""
        self._object.close()


@contextmanager
def _source_errors(place: str, key: str) -> Iterator[None]:
    """Say in this project's words what Swift says about *key*."""
    try:
        yield
    except ObjectChanged as error:
        raise SourceChanged(place, key, "another object took its name while it was read") from error
    except UnusableAnswer as error:
        raise SourceUnreadable(place, key, str(error)) from error
    except SWIFT_ERRORS as error:
        raise source_error(place, key, diagnose(error)) from error
