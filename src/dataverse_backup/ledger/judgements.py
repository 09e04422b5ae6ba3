"""Verdicts of audits as statements, and as what goes into their cells and comes out of their rows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, func, insert, null, or_, update

from dataverse_backup.datafile import MAIN
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.ledger import upserts
from dataverse_backup.ledger.audits import VerdictRecord
from dataverse_backup.ledger.records import Status
from dataverse_backup.ledger.rules import BACK_TO_NORMAL, FAILS_BY_VERDICT, what_stands
from dataverse_backup.ledger.tables import copies, datafilestatus, primaries, verdicts
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from dataverse_backup.ledger.audits import Judged
    from dataverse_backup.ledger.columns import Values

    Place = tuple[str, int, str]
    """Destination, datafile id and tag."""
    Standing = Mapping[Place, Verdict]
    """The verdicts that stood before; *intact* is absent."""

_its = datafilestatus.c

JUDGE_COPY = (
    update(copies)
    .where(copies.c.destination == bindparam("its_destination"), copies.c.datafile_id == bindparam("its_id"))
    .where(copies.c.object == bindparam("its_object"), copies.c.key == bindparam("its_key"))
    .values(verdict=bindparam("its_verdict"), judged=bindparam("its_time"))
)
FAIL = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.datafile_id == bindparam("its_id"))
    .where(_its.object == bindparam("its_object"))
    .values(
        status=Status.FAIL_WRITE,
        reason=bindparam("its_reason"),
        message=bindparam("its_message"),
        failing_since=func.coalesce(_its.failing_since, bindparam("its_time", type_=_its.failing_since.type)),
    )
)
RECOVER = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.datafile_id == bindparam("its_id"))
    .where(_its.object == bindparam("its_object"), _its.status == Status.FAIL_WRITE)
    .where(or_(*(_its.reason == reason for reason in BACK_TO_NORMAL)))
    .where(_its.key == bindparam("its_key"), _its.checksum.is_not_distinct_from(bindparam("its_registered")))
    .values(
        status=Status.OK,
        reason=case((and_(_its.checksum.is_(None), _its.object == MAIN), Reason.NO_CHECKSUM.value), else_=null()),
        message="",
        failing_since=null(),
    )
)
TELL = insert(verdicts)


@cache
def note_primary(dialect: str) -> upserts.Insert:
    """A primary is known; where it was known it may be in another store by now."""
    upsert = upserts.insert_into(dialect, primaries)
    new = upsert.excluded
    return upsert.on_conflict_do_update(
        index_elements=primaries.primary_key.columns,
        set_={"store": new.store, "size": func.coalesce(primaries.c.size, new.size)},
    )


@cache
def judge_primary(dialect: str) -> upserts.Insert:
    """A primary was looked at."""
    upsert = upserts.insert_into(dialect, primaries)
    new = upsert.excluded
    return upsert.on_conflict_do_update(
        index_elements=primaries.primary_key.columns,
        set_={
            "store": new.store,
            "size": func.coalesce(new.size, primaries.c.size),
            "proven": func.coalesce(new.proven, primaries.c.proven),
            "verdict": new.verdict,
            "judged": new.judged,
        },
    )


def place_of(judged: Judged) -> Place:
    """Which copy or primary it is about."""
    return judged.destination, judged.datafile.id, judged.datafile.tag


def _place_values(judged: Judged) -> Values:
    return {
        "its_destination": judged.destination,
        "its_id": judged.datafile.id,
        "its_object": judged.datafile.tag,
    }


def copy_values(judged: Judged, stands: Verdict) -> Values:
    """What `JUDGE_COPY` is told."""
    return _place_values(judged) | {
        "its_key": judged.key,
        "its_verdict": stands,
        "its_time": judged.at,
    }


def failure_values(judged: Judged) -> Values:
    """What `FAIL` is told of a copy that is missing or altered."""
    return _place_values(judged) | {
        "its_reason": FAILS_BY_VERDICT[judged.verdict],
        "its_message": judged.message,
        "its_time": judged.at,
    }


def recovery_values(judged: Judged) -> Values:
    """What `RECOVER` is told of a copy that is intact again."""
    registered = judged.proof.registered if judged.proof else None
    return _place_values(judged) | {
        "its_key": judged.key,
        "its_registered": None if registered is None else str(registered),
    }


def primary_values(judged: Judged, before: Standing) -> Values:
    """The row of a primary, for `judge_primary`."""
    is_proven = judged.verdict is Verdict.INTACT and judged.how is not None
    return {
        "datafile_id": judged.datafile.id,
        "object": judged.datafile.tag,
        "store": judged.datafile.store_id,
        "size": judged.size,
        "proven": judged.at if is_proven else None,
        "verdict": what_stands(judged, before.get(place_of(judged))),
        "judged": judged.at,
    }


def event_values(run: str, judged: Judged) -> Values:
    """The row of a verdict that is kept, for `TELL`."""
    file = judged.datafile
    return {
        "run": run,
        "datafile_id": file.id,
        "object": file.tag,
        "destination": judged.destination,
        "persistent_id": file.dataset.persistent_id,
        "directory_label": file.directory_label,
        "label": file.label,
        "store": file.store_id,
        "storageidentifier": file.storageidentifier,
        "key": judged.key,
        "verdict": judged.verdict,
        "message": judged.message,
        "how": judged.how,
        "at": judged.at,
        "size": judged.size,
    }


def record_of(row: Row[Any]) -> VerdictRecord:
    """The VerdictRecord in a row of ``verdicts``."""
    return VerdictRecord(
        run=row.run,
        destination=row.destination,
        datafile_id=row.datafile_id,
        dataset=row.persistent_id,
        directory_label=row.directory_label,
        label=row.label,
        store=row.store,
        storageidentifier=row.storageidentifier,
        key=row.key,
        verdict=Verdict(row.verdict),
        message=row.message,
        how=None if row.how is None else VerifiedBy(row.how),
        at=row.at,
        size=row.size,
        tag=row.object,
    )
