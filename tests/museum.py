"""What can happen to stored bytes, each with the verdict that it deserves. It grows with every bug."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.fixity import Algorithm, Checksum

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Exhibit:
    """One datafile and its fate."""

    what: str
    becomes: Callable[[bytes], bytes | None]
    """What lies there in the end; None where nothing does."""
    is_damaged: bool = True
    size: int = 3000
    algorithm: Algorithm = Algorithm.MD5

    @property
    def good(self) -> bytes:
        """Its bytes as registered: no two have the same."""
        return (self.what.encode() * (self.size // len(self.what) + 1))[: self.size]

    @property
    def checksum(self) -> Checksum:
        """As registered."""
        return Checksum.of(self.good, self.algorithm)

    @property
    def fate(self) -> bytes | None:
        """What lies there when it is looked at."""
        return self.becomes(self.good)


def _flipped(at: int) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[at] ^= 1
        return bytes(changed)

    return flip


EXHIBITS = [
    Exhibit("nothing happened", lambda data: data, is_damaged=False),
    Exhibit("nothing happened to an empty one", lambda data: data, is_damaged=False, size=0),
    *(Exhibit(f"nothing, by {each}", lambda data: data, is_damaged=False, algorithm=each) for each in Algorithm),
    Exhibit("it is gone", lambda _: None),
    Exhibit("an empty one is gone", lambda _: None, size=0),
    Exhibit("the first bit flipped", _flipped(0)),
    Exhibit("the last bit flipped", _flipped(-1)),
    Exhibit("a bit flipped, by SHA-512", _flipped(7), algorithm=Algorithm.SHA512),
    Exhibit("the last byte is lost", lambda data: data[:-1]),
    Exhibit("half of it is lost", lambda data: data[: len(data) // 2]),
    Exhibit("all of it is lost", lambda _: b""),
    Exhibit("a byte came behind it", lambda data: data + b"\0"),
    Exhibit("an empty one has a byte", lambda _: b"\0", size=0),
    Exhibit("zeros of the same length", lambda data: bytes(len(data))),
    Exhibit("twice as much", lambda data: data * 2),
    Exhibit("line ends were converted", lambda data: data.replace(b"e", b"\r\n")),
    Exhibit("swapped with the next", lambda _: Exhibit("swapped with the one before", lambda data: data).good),
    Exhibit("swapped with the one before", lambda _: Exhibit("swapped with the next", lambda data: data).good),
]
"""One file each; whoever plants them finds the damaged ones, and nothing else."""
