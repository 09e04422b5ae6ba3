"""Writing an object back into a store of type ``swift``."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dataverse_backup.errors import CopyFailed, KeyOccupied
from dataverse_backup.services.copy_errors import copy_error
from dataverse_backup.services.swift import SWIFT_ERRORS, diagnose
from dataverse_backup.services.swift_object import ObjectChanged, SwiftObject, UnusableAnswer
from dataverse_backup.services.trouble import Trouble
from dataverse_backup.services.withheld import Part
from dataverse_backup.stores.restorable import aside_name
from dataverse_backup.stores.service_put_back import ServicePutBack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.services.swift import Swift
    from dataverse_backup.services.withheld import Body
    from dataverse_backup.stores.service_put_back import Found

WHOLE_SIZE = 16 << 20
"""Bytes of the largest object that is read before any of it is sent."""
SEGMENT_SIZE = 1 << 30
_MANIFEST = "multipart-manifest"
_MOST_SEGMENTS = 1000
_LARGEST_SEGMENT = 5 << 30


class SwiftPutBack(ServicePutBack[dict[str, str]]):
    """One object that is written back.

    What is bigger than one segment becomes a static large object, whose segments lie beside it.
    """

    def __init__(self, place: str, swift: Swift, container: str, name: str) -> None:
        """Put back the object *name* in *container*, for the store *place*."""
        super().__init__(place, name)
        self._swift, self._container = swift, container

    def _look(self) -> dict[str, str] | None:
        """What is said of the object that lies there."""
        with self._swift.connection() as connection:
            try:
                headers: dict[str, str] = connection.head_object(self._container, self._name)
            except SWIFT_ERRORS as error:
                if diagnose(error).trouble is Trouble.MISSING:
                    return None
                raise
        return headers

    def _opened(self, name: str) -> SwiftObject:
        return SwiftObject(self._swift, self._container, name)

    def _send(self, body: Body, present: dict[str, str] | None, found: Found | None) -> None:
        headers = _kept(present) if present else {"If-None-Match": "*"}
        self._make_container()
        if body.size <= WHOLE_SIZE:
            data = body.read_whole()
            self._keep_aside(present, found)
            self._put(self._name, data, len(data), headers=headers)
        else:
            segments = self._send_segments(body)
            self._keep_aside(present, found)
            data = json.dumps(segments).encode()
            self._put(self._name, data, len(data), headers=headers, query_string=f"{_MANIFEST}=put")

    def _make_container(self) -> None:
        """Where everything was lost, its container is too; where it is there, this changes nothing."""
        with self._swift.connection() as connection:
            try:
                connection.head_container(self._container)
            except SWIFT_ERRORS as error:
                if diagnose(error).trouble is not Trouble.MISSING:
                    return  # we may write into it, perhaps, and not look at it
                connection.put_container(self._container)

    def _send_segments(self, body: Body) -> list[dict[str, Any]]:
        """Store the segments, which nobody sees; none stay where *body* is not as promised."""
        size = max(SEGMENT_SIZE, -(-body.size // _MOST_SEGMENTS))
        if size > _LARGEST_SEGMENT:
            raise CopyFailed(self._place, self._name, f"the service takes no object of {body.size} bytes")
        folder, sent = aside_name(self._name).replace(".damaged-", ".segments-"), 0
        segments: list[dict[str, Any]] = []
        try:
            while sent < body.size:
                part = Part(body, min(size, body.size - sent))
                name = f"{folder}/{len(segments):08}"
                self._put(name, part, part.size, headers={"If-None-Match": "*"})
                segments.append({"path": f"/{self._container}/{name}", "etag": part.etag, "size_bytes": part.size})
                sent += part.size
        except BaseException:
            self._remove_segments(segments)
            raise
        return segments

    def _remove_segments(self, segments: list[dict[str, Any]]) -> None:
        with suppress(*SWIFT_ERRORS), self._swift.connection() as connection:
            for segment in segments:
                connection.delete_object(self._container, segment["path"].removeprefix(f"/{self._container}/"))

    def _keep_aside(self, before: dict[str, str] | None, found: Found | None) -> None:
        """Let the service copy what lies there, of a large object its manifest, and prove that copy."""
        if before is None or found is None:
            return
        self._check_unchanged(before)
        self._aside = aside = aside_name(self._name)
        source = {"X-Copy-From": quote(f"{self._container}/{self._name}")}
        self._put(aside, b"", 0, headers=source, query_string=f"{_MANIFEST}=get")
        self._prove_aside(aside, found)
        self._check_unchanged(before)

    def _check_unchanged(self, before: dict[str, str]) -> None:
        now = self._look()
        if now is None or now.get("etag") != before.get("etag"):
            raise self._changed()

    def _put(self, name: str, contents: Any, size: int, **options: Any) -> None:
        with self._swift.connection() as connection:
            connection.put_object(self._container, name, contents, content_length=size, **options)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in this project's words what Swift says."""
        try:
            yield
        except ObjectChanged as error:
            raise KeyOccupied(self._place, self._name, "another object took its name while it was read") from error
        except UnusableAnswer as error:
            raise CopyFailed(self._place, self._name, str(error)) from error
        except SWIFT_ERRORS as error:
            raise copy_error(self._place, self._name, diagnose(error)) from error


def _kept(before: dict[str, str]) -> dict[str, str]:
    """What the new object takes over of the one that lay there."""
    return {name: one for name, one in before.items() if name == "content-type" or name.startswith("x-object-meta-")}
