"""The statements that write, each an upsert: a row that is there is changed, another one is made.

Which column a statement leaves alone is the heart of it: a failed attempt takes nothing away (design, rule 10).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Table, bindparam, case, exists, func, insert, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dataverse_backup.datafile import MAIN
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.tables import (
    attempts,
    copies,
    datafilestatus,
    destinations,
    original_matches,
    stale_manifests,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnCollection

    Excluded = ColumnCollection[str, ColumnElement[Any]]

Insert = postgresql.Insert | sqlite.Insert

_its = datafilestatus.c
_ROW = (_its.destination, _its.datafile_id, _its.object)
_FACTS = (
    "datasetidentifier",
    "storageidentifier",
    "createdate",
    "store",
    "persistent_id",
    "label",
    "directory_label",
    "size",
    "checksum",
    "fingerprint",
    "is_tabular",
    "content_type",
    "original_name",
)
_PROOF = ("key", "size", "checksum", "registered", "verified_by", "durable", "proven")

KEEP = insert(attempts)
"""Every attempt is kept."""

LAST_KEPT = select(func.max(attempts.c.id)).where(attempts.c.run == bindparam("its_run"))
"""The number of the last one of a run."""

VANISH = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.datafile_id == bindparam("its_id"))
    .where(_its.gone_since.is_(None))
    .values(gone_since=bindparam("now"))
)
"""A datafile is gone from now on, unless it was gone before."""

VANISH_ALONE = VANISH.where(_its.object == bindparam("its_object"))
"""A companion is gone from now on, and its datafile is not."""

SUCCEED = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.datafile_id == bindparam("its_id"))
    .where(_its.object == MAIN, _its.fingerprint == bindparam("its_fingerprint"), _its.key == bindparam("its_key"))
    .values(
        status=Status.OK.value,
        reason=bindparam("its_reason"),
        message=bindparam("its_message"),
        mark=bindparam("its_mark"),
        lastbackuptime=bindparam("ended"),
        lastbackupmethod=bindparam("method"),
        attempts=_its.attempts + 1,
        failing_since=null(),
        not_here=null(),
        not_here_message="",
        gone_since=null(),
    )
)
"""A datafile of which nothing is new but that it was copied: as `conclude`, and no index has to be written anew."""

DOUBT = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.status == Status.OK)
    .values(status=null(), reason=null(), message="", mark=null())
)
"""Nothing is OK at a destination, until it is proven again."""

MARK = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.datafile_id == bindparam("its_id"))
    .where(_its.object == MAIN)
    .values(mark=bindparam("its_mark"))
)
"""A datafile that is settled still has another mark."""

FORGET = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.mark.is_not(None))
    .values(mark=null())
)
"""Every datafile of a destination is looked at by the next plan."""

_IS_BACK: dict[str, Any] = {"not_here": null(), "not_here_message": "", "gone_since": null()}


@cache
def plan(dialect: str) -> Insert:
    """A datafile claims its key, has its former status again, and is PENDING where it has none."""
    upsert = insert_into(dialect, datafilestatus)
    new = upsert.excluded
    is_untried = _its.status.is_(None)
    claim = {
        # a companion is settled only as long as its row says what it said when it was tried
        "fingerprint": case((_its.object == MAIN, new.fingerprint), else_=_its.fingerprint),
        "key": new.key,
        "folded_key": case((_its.key == new.key, _its.folded_key), else_=null()),
        "reason": case((is_untried, new.reason), else_=_its.reason),
        "message": case((is_untried, ""), else_=_its.message),
        "mark": null(),
    }
    return upsert.on_conflict_do_update(index_elements=_ROW, set_=_facts(new) | claim | _IS_BACK)


@cache
def refresh(dialect: str) -> Insert:
    """A datafile has new facts and its former status."""
    upsert = insert_into(dialect, datafilestatus)
    new = upsert.excluded
    return upsert.on_conflict_do_update(index_elements=_ROW, set_=_facts(new) | _IS_BACK | {"mark": new.mark})


@cache
def leave_out(dialect: str) -> Insert:
    """A datafile is not here; key, copy, and what it was registered with stay known."""
    upsert = insert_into(dialect, datafilestatus)
    names = (
        "storageidentifier",
        "createdate",
        "persistent_id",
        "label",
        "fingerprint",
        "not_here",
        "not_here_message",
        "mark",
    )
    told = {name: upsert.excluded[name] for name in names}
    return upsert.on_conflict_do_update(index_elements=_ROW, set_=told | {"gone_since": null()})


@cache
def conclude(dialect: str) -> Insert:
    """A datafile was tried. One whose row had vanished is gone and keeps the status that it had."""
    upsert = insert_into(dialect, datafilestatus)
    new = upsert.excluded
    vanished = new.gone_since.is_not(None)
    was_tried = {name: case((vanished, _its[name]), else_=new[name]) for name in ("status", "reason", "message")}
    outcome = {
        "key": func.coalesce(new.key, _its.key),
        "folded_key": case((func.coalesce(new.key, _its.key) == _its.key, _its.folded_key), else_=null()),
        "mark": new.mark,
        "lastbackuptime": new.lastbackuptime,
        "lastbackupmethod": new.lastbackupmethod,
        "attempts": _its.attempts + 1,
        "failing_since": case(
            (vanished, _its.failing_since),
            (new.failing_since.is_not(None), func.coalesce(_its.failing_since, new.failing_since)),
            else_=null(),
        ),
        "not_here": case((vanished, _its.not_here), else_=null()),
        "not_here_message": case((vanished, _its.not_here_message), else_=""),
        "gone_since": case((vanished, func.coalesce(_its.gone_since, new.gone_since)), else_=null()),
    }
    return upsert.on_conflict_do_update(index_elements=_ROW, set_=_facts(new) | was_tried | outcome)


@cache
def prove(dialect: str) -> Insert:
    """A datafile's copy is the one that was proven last."""
    return _proven(insert_into(dialect, copies))


@cache
def prove_by_attempts(dialect: str) -> Insert:
    """The same for the attempts of a run that were kept after another one: the database has their proofs already."""
    place = [column.name for column in copies.primary_key.columns]
    later = attempts.alias("later")
    its_place = [later.c[name] == attempts.c[name] for name in place]
    is_last = ~exists().where(*its_place, later.c.id > attempts.c.id, later.c.checksum.is_not(None))
    proofs = select(*(attempts.c[name] for name in (*place, *_PROOF))).where(attempts.c.checksum.is_not(None), is_last)
    these = proofs.where(attempts.c.run == bindparam("its_run"), attempts.c.id > bindparam("after"))
    in_order = these.order_by(attempts.c.id)  # one may leave the key that the next one has
    return _proven(insert_into(dialect, copies).from_select([*place, *_PROOF], in_order))


def _proven(upsert: Insert) -> Insert:
    proof: dict[str, Any] = {name: upsert.excluded[name] for name in _PROOF}
    proof |= {"verdict": null(), "judged": null()}
    proof["folded_key"] = case((copies.c.key == upsert.excluded.key, copies.c.folded_key), else_=null())
    return upsert.on_conflict_do_update(index_elements=copies.primary_key.columns, set_=proof)


@cache
def leave_alone(dialect: str, table: Table) -> Insert:
    """A row that is there stays as it is."""
    return insert_into(dialect, table).on_conflict_do_nothing()


@cache
def know(dialect: str) -> Insert:
    """A destination is known by name."""
    return leave_alone(dialect, destinations)


@cache
def spoil(dialect: str) -> Insert:
    """The manifest of a dataset is not up to date."""
    return leave_alone(dialect, stale_manifests)


@cache
def match(dialect: str) -> Insert:
    """A row of the original's table belongs to a datafile."""
    return leave_alone(dialect, original_matches)


def insert_into(dialect: str, table: Table) -> Insert:
    """An insert that can be told what to do where the row is there already."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def _facts(new: Excluded) -> dict[str, Any]:
    return {name: new[name] for name in _FACTS}
