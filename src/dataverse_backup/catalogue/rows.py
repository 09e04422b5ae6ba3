"""What a row of the database means: a Datafile, or the reason why it is none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from dataverse_backup.datafile import AUXILIARY, DATASET, PROVENANCE, TAB, Datafile, Dataset, Kind, NotHere
from dataverse_backup.errors import Reason, printable
from dataverse_backup.fixity import Algorithm, Checksum

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime, tzinfo

_TEMPORARY_STORE = "tmp"
"""What Dataverse puts before ``://`` until a file has its final place (facts 1.8)."""

_PROVENANCE_SUFFIX = ".prov-json.json"

_EXTENSIONS = {
    "application/x-spss-sav": "sav",
    "application/x-spss-por": "por",
    "application/x-stata": "dta",
    "application/x-stata-6": "dta",
    "application/x-stata-13": "dta",
    "application/x-stata-14": "dta",
    "application/x-stata-15": "dta",
    "application/x-rlang-transport": "RData",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/csv": "csv",
    "text/comma-separated-values": "csv",
    "text/tsv": "tsv",
    "text/tab-separated-values": "tsv",
}
"""How files end that Dataverse ingests, by their content type."""


class Record(NamedTuple):
    """A row as every form of the query returns it, the columns in this order."""

    id: int
    has_datafile: bool
    owner_id: int | None
    has_dataset: bool
    protocol: str | None
    authority: str | None
    separator: str | None
    identifier: str | None
    storage_authority: str | None
    storage_identifier: str | None
    storageidentifier: str | None
    size: int | None
    checksum_type: str | None
    checksum_value: str | None
    is_tabular: bool
    content_type: str | None
    created: datetime
    """Local time without a zone (facts 1.2)."""
    label: str | None
    directory_label: str | None
    original_name: str | None
    original_format: str | None
    """Content type of the original of an ingested file."""
    ingest: str | None
    """Of an ingested file, which ingest its .tab comes from: its row in datatable and the UNF."""
    provenance: str | None
    """What its uploaded provenance is about; None where there is none."""
    auxiliary: str | None
    """Its registered auxiliary files, as JSON: lists of format tag, format version, size, checksum and content type."""

    @property
    def persistent_id(self) -> str:
        """The dataset's own PID, ``''`` where it has none."""
        return _persistent_id(self)


class DatasetRecord(NamedTuple):
    """A row as every form of the query of datasets returns it, the columns in this order."""

    id: int
    protocol: str | None
    authority: str | None
    separator: str | None
    identifier: str | None
    storage_authority: str | None
    storage_identifier: str | None
    storageidentifier: str | None
    created: datetime


def _persistent_id(its: Record | DatasetRecord) -> str:
    """Older releases print a slash as separator."""
    if not its.identifier:
        return ""
    separator = "/" if its.separator is None else its.separator
    return f"{its.protocol or ''}:{its.authority or ''}{separator}{its.identifier}"


def interpret(
    record: Record, timezone: tzinfo, default_store: str, companions: Collection[Kind] = tuple(Kind)
) -> Datafile | NotHere:
    """The row as the other parts know it: always one of the two, whatever the database holds.

    A Datafile comes with its *companions* of these kinds.
    """
    why = _why_it_has_no_dataset(record) or _why_it_has_no_object(record)
    if why is not None:
        return _not_here(record, timezone, *why)
    storageidentifier = record.storageidentifier or ""
    datafile = Datafile(
        id=record.id,
        dataset=_dataset(record.persistent_id, record.storage_authority or "", record.storage_identifier or ""),
        store_id=_store_prefix(storageidentifier) or default_store,
        storageidentifier=storageidentifier,
        size=record.size if record.size is not None and record.size >= 0 else None,
        checksum=Checksum.parse(record.checksum_type, record.checksum_value),
        is_tabular=record.is_tabular,
        content_type=record.content_type or "",
        created=_aware(record.created, timezone),
        label=record.label or "",
        directory_label=record.directory_label or "",
        original_name=_original_name(record) if record.is_tabular else "",
    )
    if record.ingest is None and record.provenance is None and record.auxiliary is None:
        return datafile
    return replace(datafile, companions=tuple(_companions(record, datafile, companions)))


def interpret_dataset(record: DatasetRecord, timezone: tzinfo, default_store: str) -> Datafile | None:
    """The dataset as a row with the tag DATASET; None where nobody can say where what belongs to it would lie."""
    if not record.identifier or not record.storage_identifier:
        return None
    storageidentifier = record.storageidentifier or ""
    return Datafile(
        id=record.id,
        dataset=_dataset(_persistent_id(record), record.storage_authority or "", record.storage_identifier),
        store_id=_store_prefix(storageidentifier) or default_store,
        storageidentifier=storageidentifier,
        size=None,
        checksum=None,
        is_tabular=False,
        content_type="",
        created=_aware(record.created, timezone),
        label="",
        tag=DATASET,
    )


def _companions(record: Record, datafile: Datafile, kinds: Collection[Kind]) -> Iterator[Datafile]:
    """What lies beside it, or under its name, and cannot be made again (facts 1.7, 2.9)."""
    if record.auxiliary is not None and Kind.AUXILIARY in kinds:
        yield from _auxiliary_files(record.auxiliary, datafile)
    if record.provenance and Kind.PROVENANCE in kinds:
        content_type = "application/json"
        yield datafile.beside(PROVENANCE, _PROVENANCE_SUFFIX, version=record.provenance, content_type=content_type)
    if record.ingest is not None and Kind.TAB in kinds:
        yield datafile.beside(TAB, version=record.ingest, size=datafile.size)


def _auxiliary_files(listed: str, datafile: Datafile) -> Iterator[Datafile]:
    """Each once: where two are registered under one name, there is one object, and the last one described it."""
    # named as Java joins them
    found = {f"{tag or 'null'}_{version or 'null'}": known for tag, version, *known in json.loads(listed)}
    for name, (size, checksum, content_type) in sorted(found.items()):
        yield datafile.beside(
            f"{AUXILIARY}{name}",
            f".{name}",
            size=size if size is not None and size >= 0 else None,
            checksum=_of_its_length(checksum),
            content_type=content_type or "",
        )


def _of_its_length(value: str | None) -> Checksum | None:
    """A checksum whose algorithm is not registered: its length tells it (facts 1.2, ``auxiliaryfile``)."""
    candidates = (Checksum.parse(algorithm, value) for algorithm in Algorithm)
    return next((checksum for checksum in candidates if checksum is not None), None)


@lru_cache(maxsize=1_000)
def _dataset(persistent_id: str, authority: str, identifier: str) -> Dataset:
    """One for all of its datafiles that come one after the other: it is pickled with them once."""
    return Dataset(persistent_id, authority, identifier)


def _original_name(record: Record) -> str:
    """What the original of an ingested file was called, which releases before 5.0 do not tell (facts 1.2)."""
    if record.original_name:
        return record.original_name
    extension = _EXTENSIONS.get((record.original_format or "").partition(";")[0].strip().lower())
    return f"{(record.label or '').removesuffix('.tab')}.{extension}" if extension and record.label else ""


def _not_here(record: Record, timezone: tzinfo, reason: Reason, message: str) -> NotHere:
    return NotHere(
        id=record.id,
        reason=reason,
        message=message,
        persistent_id=record.persistent_id,
        storageidentifier=record.storageidentifier or "",
        label=record.label or "",
        created=_aware(record.created, timezone),
    )


def _why_it_has_no_dataset(record: Record) -> tuple[Reason, str] | None:
    """Why nobody can say where its dataset's files are; an empty authority is legal (facts 2.1, rule 5)."""
    if not record.has_datafile:
        message = "its row in dvobject has no counterpart in datafile"
    elif record.owner_id is None:
        message = "it belongs to no dataset: its owner_id is empty"
    elif not record.has_dataset:
        message = f"its owner, dvobject {record.owner_id}, is no dataset"
    elif not record.identifier:
        message = f"its dataset, dvobject {record.owner_id}, has no persistent identifier"
    elif not record.storage_identifier:
        dataset = printable(record.persistent_id)
        message = f"the alternative identifier that names the folder of its dataset {dataset} is empty"
    else:
        return None
    return Reason.NO_DATASET, message


def _why_it_has_no_object(record: Record) -> tuple[Reason, str] | None:
    """Why its storageidentifier names no object in any store (facts 1.8)."""
    text = record.storageidentifier
    if not text:
        return Reason.NO_IDENTIFIER, "its storageidentifier is empty"
    prefix = _store_prefix(text)
    rest = text.partition("://")[2]
    if prefix and (not rest or (rest.endswith(":") and "/" not in rest)):
        return Reason.PREFIX_ONLY, f"its storageidentifier {printable(text)} names no object"
    if prefix == _TEMPORARY_STORE:
        return Reason.TEMPORARY, f"its storageidentifier {printable(text)} is temporary: the upload was not finished"
    return None


def _store_prefix(storageidentifier: str) -> str:
    prefix, separator, _ = storageidentifier.partition("://")
    return prefix if separator else ""


def _aware(local: datetime, timezone: tzinfo) -> datetime:
    """*local* in UTC; of an hour that came twice the first, and one that was skipped as if it had not been."""
    return local.replace(tzinfo=timezone, fold=0).astimezone(UTC)
