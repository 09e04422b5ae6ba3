"""Datafiles of the sample, worked out: ids, names, bytes, registered checksums."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from dataverse_backup.datafile import AUXILIARY, LOGOS, PROVENANCE, TAB
from dataverse_backup.ledger.base import Status
from demo.contents import AWKWARD, DATASETS, OnDisk, SampleDataset, SampleFile, ordinary_datasets, ordinary_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dataverse_backup.fixity import Algorithm

DEFAULT_STORE = "file"
COLLECTION_ID = 1
FIRST_DATASET_ID = 2
FIRST_DATAFILE_ID = 101
_PROVENANCE = "prov-json.json"


@dataclass(frozen=True)
class DatasetRow:
    """A dataset with the id that it has in the database."""

    id: int
    dataset: SampleDataset

    def logos(self) -> dict[str, tuple[str, bytes]]:
        """Its logo and what Dataverse made of it, by tag: where each lies in its store, and its copy, and its bytes."""
        if not self.dataset.has_logo:
            return {}
        pid = self.dataset.storage_pid
        folder = f"{pid.authority}/{pid.identifier}"
        return {tag: (f"{folder}/{name}", f"{name} of dataset {self.id}".encode()) for tag, name in LOGOS.items()}


@dataclass(frozen=True)
class DatafileRow:
    """A Datafile with everything that the database and the stores hold of it."""

    id: int
    file: SampleFile
    dataset: DatasetRow | None
    storageidentifier: str | None
    random_seed: str
    is_replacement: bool
    """Whether it replaces the Datafile before it."""

    @property
    def store_id(self) -> str:
        """The store that its identifier names, or the default one."""
        prefix, separator, _ = (self.storageidentifier or "").partition("://")
        return prefix if separator else DEFAULT_STORE

    @property
    def path(self) -> str:
        """Where its main object lies in its store, and its copy at a destination."""
        pid = self.dataset.dataset.storage_pid if self.dataset else None
        location = (self.storageidentifier or "").split("://", 1)[-1]
        return "/".join(part for part in (pid and pid.authority, pid and pid.identifier, location) if part)

    @property
    def key(self) -> str:
        """Where its copy is expected."""
        return f"{self.path}.datafile-{self.id}" if self.file.yields_key else self.path

    @cached_property
    def registered_bytes(self) -> bytes:
        """What its registered checksum describes: the original; of a package, the manifest."""
        if self.file.on_disk is OnDisk.PACKAGE:
            lines = (f"{_hex(part, self.file.algorithm)}  {name}\n" for name, part in self._package.items())
            return "".join(lines).encode()
        return Random(self.random_seed).randbytes(self.file.size)  # noqa: S311 -- the same at each build, no secret

    @property
    def registered_checksum(self) -> str:
        """As the database has it."""
        digits = _hex(self.registered_bytes, self.file.algorithm)
        return self.file.registered.format(hex=digits, HEX=digits.upper())

    @property
    def registered_size(self) -> int:
        """As the database has it: of the main object where ingest is done (facts 1.7)."""
        if self.file.on_disk is OnDisk.PACKAGE:
            return sum(map(len, self._package.values()))
        is_ingested = self.file.is_tabular and self.file.on_disk in (OnDisk.ORIGINAL, OnDisk.OLD_ORIGINAL)
        return len(self._tab if is_ingested else self.registered_bytes) + self.file.size_error

    def objects(self) -> dict[str, bytes]:
        """Everything that lies in its store for it, by path."""
        original, path = self.registered_bytes, self.path
        folder, _, name = path.rpartition("/")
        forms: dict[OnDisk, Callable[[], dict[str, bytes]]] = {
            OnDisk.MAIN: lambda: {path: original},
            OnDisk.ORIGINAL: lambda: {path: self._tab, f"{path}.orig": original},
            OnDisk.OLD_ORIGINAL: lambda: {path: self._tab, f"{folder}/_{name}": original},
            OnDisk.PACKAGE: lambda: {f"{path}/{name}": part for name, part in self._package_with_manifest.items()},
            OnDisk.CORRUPTED: lambda: {path: _with_a_wrong_bit(original)},
            OnDisk.TRUNCATED: lambda: {path: original[:-100]},
            OnDisk.NOTHING: dict,
        }
        return forms[self.file.on_disk]() | dict(self._beside())

    def companions(self) -> dict[str, tuple[str, bytes]]:
        """What must be backed up beside it, by its tag: where its copy lies, and its bytes."""
        if self.file.status is not Status.OK:
            return {}
        objects = self.objects()
        tab = {TAB: (f"{self.path}.tab", objects[self.path])} if self.file.is_tabular else {}
        beside = {_tag(path.removeprefix(f"{self.path}.")): (path, content) for path, content in self._beside()}
        return tab | beside

    def _beside(self) -> Iterator[tuple[str, bytes]]:
        if self.file.provenance:
            yield f"{self.path}.{_PROVENANCE}", b'{"entity": {"of": "%d"}}' % self.id
        if self.file.auxiliary is not None:
            yield f"{self.path}.{'_'.join(self.file.auxiliary)}", b'{"privacy": %d}' % self.id

    @property
    def _tab(self) -> bytes:
        """What ingest makes of the original."""
        return self.registered_bytes.hex("\t", -2).encode()[: self.file.size // 2] + b"\n"

    @property
    def _package_with_manifest(self) -> dict[str, bytes]:
        return {"files.sha": self.registered_bytes} | self._package

    @property
    def _package(self) -> dict[str, bytes]:
        return {f"reads-{number}.fastq": self.random_seed.encode() * 100 * number for number in (1, 2)}


def _tag(suffix: str) -> str:
    return PROVENANCE if suffix == _PROVENANCE else f"{AUXILIARY}{suffix}"


def dataset_rows(seed: int) -> dict[str, DatasetRow]:
    """Every dataset of the sample, by its name in ``contents``."""
    named = ordinary_datasets(Random(seed)) | DATASETS  # noqa: S311 -- the same at each build, no secret
    return {name: DatasetRow(number, dataset) for number, (name, dataset) in enumerate(named.items(), FIRST_DATASET_ID)}


def datafile_rows(seed: int) -> Iterator[DatafileRow]:
    """Every Datafile of the sample, the harvested ones too, by ascending id; equal seeds give equal ones."""
    random = Random(seed)  # noqa: S311 -- the same at each build, no secret
    files = [*ordinary_files(random), *AWKWARD]
    return rows_of(files, dataset_rows(seed), random, seed)


def rows_of(
    files: Iterable[SampleFile], datasets: Mapping[str, DatasetRow], random: Random, seed: int
) -> Iterator[DatafileRow]:
    """A row for each of *files*, in datasets named in *datasets*, by ascending id."""
    is_replacement = False
    for datafile_id, file in enumerate(files, FIRST_DATAFILE_ID):
        name = f"18b{random.getrandbits(32):08x}-{random.getrandbits(48):012x}"
        identifier = None if file.storageidentifier is None else file.storageidentifier.replace("{name}", name)
        dataset = datasets.get(file.dataset)
        yield DatafileRow(datafile_id, file, dataset, identifier, f"{seed}/{datafile_id}", is_replacement)
        is_replacement = file.is_replaced


def _with_a_wrong_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _hex(content: bytes, algorithm: Algorithm) -> str:
    return hashlib.new(algorithm.replace("-", "").lower(), content, usedforsecurity=False).hexdigest()
