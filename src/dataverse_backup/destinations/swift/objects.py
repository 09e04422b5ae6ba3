"""The requests of Swift as a destination needs them: by key, each raising SWIFT_ERRORS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dataverse_backup.destinations.base import Entry
from dataverse_backup.fixity import Checksum
from dataverse_backup.outflow import paced
from dataverse_backup.services.swift import SWIFT_ERRORS, diagnose
from dataverse_backup.services.swift_object import SwiftObject, length_of
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.destinations.swift.settings import SwiftSettings
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.outflow import Pace
    from dataverse_backup.services.swift import Swift
    from dataverse_backup.services.withheld import Part

CHUNK = 1 << 20
MANIFEST = "multipart-manifest"
NEVER_OVER = {"If-None-Match": "*"}
"""Swift refuses what would overwrite; Ceph does not know this, so everybody looks first."""


@dataclass(frozen=True, slots=True)
class Status:
    """One object as the service describes it."""

    size: int
    etag: str
    """The MD5 of a plain object; of a large one, that of its segments' MD5s."""
    modified: str
    """As the service writes it, by the second."""
    is_large: bool
    """A static large object: a manifest that names its segments."""

    @classmethod
    def from_headers(cls, headers: Any, size: int) -> Status:
        """What an answer about an object says; *size* is used where it says none."""
        return cls(
            size=length_of(headers) or size,
            etag=_bare(headers.get("etag", "")),
            modified=headers.get("last-modified", ""),
            is_large=headers.get("x-static-large-object", "").lower() == "true",
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a large object."""

    key: str
    etag: str
    size: int


class Objects:
    """What lies in the containers of one destination. Any thread may use it."""

    def __init__(self, swift: Swift, settings: SwiftSettings) -> None:
        """Where the objects are, and in which containers."""
        self._swift, self._settings = swift, settings
        self._made: set[str] = set()

    def limits(self) -> tuple[int, int]:
        """The most bytes of one object, and the most segments of a large one."""
        with self._swift.connection() as connection:
            said = connection.get_capabilities()
        return int(said["swift"]["max_file_size"]), int(said.get("slo", {}).get("max_manifest_segments", 0))

    def container(self) -> Any:
        """The headers that describe the container of our own; None where there is none."""
        return self._look(lambda connection: connection.head_container(self._settings.container))

    def make_container(self) -> None:
        """Make the container of our own, if it is not there."""
        with self._swift.connection() as connection:
            connection.put_container(self._settings.container)

    def make_container_of(self, key: str) -> None:
        """Make the container of the dataset of *key*; that of our own is made when the destination becomes ours."""
        container = self._settings.container_of(key)
        if container != self._settings.container and container not in self._made:
            with self._swift.connection() as connection:
                connection.put_container(container)
            self._made.add(container)

    def status(self, key: str) -> Status | None:
        """What lies under *key*, or None. Renews the login where that is due."""
        found = self._look(lambda connection: connection.head_object(*self._at(key)))
        return None if found is None else Status.from_headers(found, 0)

    def _look(self, ask: Callable[[Any], Any]) -> Any:
        with self._swift.connection() as connection:
            try:
                return ask(connection)
            except SWIFT_ERRORS as error:
                if diagnose(error).trouble is Trouble.MISSING:
                    return None
                raise

    def open(self, key: str) -> SwiftObject:
        """The bytes under *key*."""
        return SwiftObject(self._swift, *self._at(key))

    def digest(self, key: str, algorithm: Algorithm, pace: Pace | None = None) -> tuple[int, Checksum]:
        """How many bytes are stored, and their checksum: all of them are read."""
        size, hashed = 0, algorithm.new()
        stored = self.open(key)
        try:
            read = paced(stored.read, pace)
            while data := read(CHUNK):
                hashed.update(data)
                size += len(data)
        finally:
            stored.close()
        return size, Checksum(algorithm, hashed.hexdigest())

    def put(self, key: str, data: bytes, *, etag: str, may_overwrite: bool = False) -> Status:
        """Store *data*, if its MD5 is *etag*."""
        condition = {} if may_overwrite else NEVER_OVER
        return self._put(key, data, len(data), etag=etag, headers=condition)

    def stream(self, key: str, part: Part) -> Status:
        """Store *part*, a new object; it is there with its last byte, and not at all where reading it raises."""
        return self._put(key, part, part.size, headers=NEVER_OVER)

    def put_manifest(self, key: str, segments: Sequence[Segment], *, may_overwrite: bool) -> Status:
        """Make the object of the *segments* visible; Swift compares the MD5 and size of each."""
        manifest = [
            {"path": f"/{self._settings.container}/{one.key}", "etag": one.etag, "size_bytes": one.size}
            for one in segments
        ]
        condition = {} if may_overwrite else NEVER_OVER
        data = json.dumps(manifest).encode()
        return self._put(key, data, len(data), headers=condition, query_string=f"{MANIFEST}=put")

    def _put(self, key: str, contents: Any, size: int, *, headers: dict[str, str], **options: Any) -> Status:
        answer: dict[str, Any] = {}
        with self._swift.connection() as connection:
            connection.put_object(
                *self._at(key), contents, content_length=size, headers=headers, response_dict=answer, **options
            )
        answered = answer["headers"]
        return Status(size, _bare(answered.get("etag", "")), answered.get("last-modified", ""), is_large=False)

    def manifest(self, key: str) -> list[str] | None:
        """The segments of the large object under *key*, as ``/container/name``; None where nothing tells (Ceph)."""
        with self._swift.connection() as connection:
            _, data = connection.get_object(*self._at(key), query_string=f"{MANIFEST}=get")
        try:
            return [str(one["name"]) for one in json.loads(data)] or None
        except (ValueError, TypeError, KeyError):
            return None

    def copy(self, key: str, to: str) -> None:
        """Let the service copy an object; of a large one the manifest, so that both have the same segments.

        It overwrites: a condition would be put to the object that is copied, so everybody looks first.
        """
        source = quote("/".join(self._at(key)))
        self._put(to, b"", 0, headers={"X-Copy-From": source}, query_string=f"{MANIFEST}=get")

    def delete(self, key: str) -> None:
        """Delete what lies under *key*, if anything; of a large object only the manifest."""
        self._look(lambda connection: connection.delete_object(*self._at(key)))

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key of our own that begins with *prefix*."""
        with self._swift.connection() as connection:
            try:
                _, found = connection.get_container(self._settings.container, prefix=prefix, full_listing=True)
            except SWIFT_ERRORS as error:
                if diagnose(error).trouble is not Trouble.MISSING:
                    raise
                return
        # Keys are deleted by what is listed here, so nothing else may come along.
        yield from (one["name"] for one in found if one.get("name", "").startswith(prefix))

    def entries(self, folder: str) -> Iterator[Entry]:
        """Every object below *folder* in all containers of this destination, with its size."""
        prefix = f"{folder}/" if folder else ""
        for container in self._containers():
            for one in self._listed(container, prefix):
                if self._settings.container_of(one["name"]) == container:
                    yield Entry(one["name"], int(one["bytes"]))

    def _containers(self) -> Iterator[str]:
        """Those that may hold something of this destination: its own, or any of the account's."""
        if not self._settings.per_dataset:
            yield self._settings.container
            return
        yield from (
            one["name"]
            for one in self._paged(lambda connection, marker: connection.get_account(marker, self._settings.page))
        )

    def _listed(self, container: str, prefix: str) -> Iterator[dict[str, Any]]:
        try:
            yield from self._paged(
                lambda connection, marker: connection.get_container(container, marker, self._settings.page, prefix)
            )
        except SWIFT_ERRORS as error:
            if diagnose(error).trouble is not Trouble.MISSING:
                raise

    def _paged(self, ask: Callable[[Any, str], Any]) -> Iterator[dict[str, Any]]:
        """Everything in a listing, page by page."""
        marker = ""
        while True:
            with self._swift.connection() as connection:
                _, found = ask(connection, marker)
            if not found:
                return
            yield from found
            marker = found[-1]["name"]

    def _at(self, key: str) -> tuple[str, str]:
        return self._settings.container_of(key), key


def _bare(etag: str) -> str:
    return etag.strip('"').lower()
