"""Every machine of a cluster must have the same of what tasks and results are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OURS = "dataverse-backup"
COMPARED = (OURS, "dask", "distributed")
"""Packages whose versions must be equal. Of Python's version the first two numbers must be: 3.12 reads what 3.12
wrote, whatever the third one is."""


def differences(here: Mapping[str, Any], there: Mapping[str, Any] | None) -> Iterator[str]:
    """What *there* has other than *here*; both as a machine's ``packages`` in Dask's report of versions."""
    if there is None:
        yield "it does not say which versions it has"
        return
    for package in ("python", *COMPARED):
        own, other = _version(here, package), _version(there, package)
        if other is None:
            yield f"{package} is not installed there (here {own})"
        elif own != other:
            yield f"{package} is {other} there and {own} here"


def _version(packages: Mapping[str, Any], package: str) -> str | None:
    found = packages.get(package)
    if not isinstance(found, str):
        return None
    return ".".join(found.split(".")[:2]) if package == "python" else found
