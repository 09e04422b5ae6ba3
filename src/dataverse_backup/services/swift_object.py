"""Reading one object of Swift, whole, however often the connection breaks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dataverse_backup.services.swift import SWIFT_ERRORS, diagnose
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from dataverse_backup.services.swift import Swift

_PAUSES = (0.0, 0.5, 1.0)
"""Seconds before each further try to go on where the connection broke; they begin anew with every byte that comes."""


class ObjectChanged(Exception):
    """Another object has taken the name while this one was read."""


class UnusableAnswer(Exception):
    """The service does not say what is needed to read this object."""


class SwiftObject:
    """The bytes of one object. Large objects, static and dynamic, are read as the one that they are.

    Every method raises SWIFT_ERRORS; ``read`` ObjectChanged, and the making of one UnusableAnswer too.
    """

    def __init__(self, swift: Swift, container: str, name: str) -> None:
        """Ask for the object; its bytes come as they are read."""
        self._swift, self._container, self._name = swift, container, name
        self._body: Any = None
        self._position = 0
        self._connection: Any = swift.take()
        try:
            headers = self._ask({})
            self.etag: str = headers.get("etag", "")
            self.size = _size(headers)
        except BaseException:
            self.close()
            raise

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end."""
        wanted = min(length, self.size - self._position)
        if wanted <= 0:
            return b""
        data = self._next(wanted)
        for pause in _PAUSES:
            if data:
                break
            time.sleep(pause)
            data = self._resumed(wanted)
        if not data:
            raise ConnectionAbortedError(f"the connection ended after {self._position} of {self.size} bytes")
        self._position += len(data)
        return data

    def _next(self, length: int) -> bytes:
        """The next bytes; none where the connection broke."""
        try:
            data: bytes = self._body.read(length)
        except SWIFT_ERRORS:
            return b""
        return data

    def _resumed(self, length: int) -> bytes:
        """The next bytes over a new connection; none where it broke too."""
        self._body.close()
        self._connection.close()
        ours = {"Range": f"bytes={self._position}-", "If-Match": self.etag}
        try:
            headers = self._ask(ours)
        except SWIFT_ERRORS as error:
            trouble = diagnose(error).trouble
            if trouble is Trouble.OCCUPIED:
                raise ObjectChanged from error
            if trouble in (Trouble.UNAVAILABLE, Trouble.THROTTLED):
                return b""
            raise
        if not headers.get("content-range", "").startswith(f"bytes {self._position}-"):
            return b""
        return self._next(length)

    def _ask(self, headers: dict[str, str]) -> Any:
        # Asked for in pieces, so that the connection hands out the answer before it has read all of it.
        answer, self._body = self._connection.get_object(
            self._container, self._name, resp_chunk_size=1 << 16, headers=headers
        )
        return answer

    def close(self) -> None:
        """Give back the connection; may be called twice."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._body is not None:
            self._body.close()
        self._swift.give_back(connection)


def _size(headers: Any) -> int:
    length = length_of(headers)
    if length is None:
        raise UnusableAnswer("the service does not say how big it is")
    return length


def length_of(headers: Any) -> int | None:
    """How many bytes an answer says that there are; None where it says nothing. Raises UnusableAnswer."""
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UnusableAnswer("what the service says of its size is no number")
    return int(text)
