"""Which datafile stands in the way of a name: the same key, a folder of it, or something below it (design, rule 7).

A destination that folds case compares folded keys. Only it knows how it folds, so they are derived when they are asked
for, kept beside the keys, and made anew where the folding is no longer the same.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Text, bindparam, cast, column, func, literal, select, update

from dataverse_backup.ledger.column_types import Words
from dataverse_backup.ledger.rules import folders
from dataverse_backup.ledger.storable import storable
from dataverse_backup.ledger.tables import copies, datafilestatus, destinations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Select, Table, TableValuedAlias

_KEYED = (datafilestatus, copies)
"""Where keys are: those that are claimed, and those under which copies lie (a key that changed is still taken)."""

_PAGE = 5_000
_NEXT_AFTER_SLASH = "0"
"""In byte order: everything below ``sub`` lies between ``sub/`` and ``sub0``."""

_PROBE = "A\u00c4\u00df\ufb01Ii\u0130\u0131\u0345\u03a3\u03c3\u03c2\u212be\u0301\U00010400"
"""Text that two ways of folding would hardly fold alike."""


def in_the_way(connection: Connection, destination: str, names: Sequence[str], keys: str) -> dict[str, int]:
    """The datafile in the way of each name, compared with the column *keys*; free names are absent.

    Where there are several: the one with the same key, else with the topmost folder, else the first key below.
    """
    its_folder = {name: name.rpartition("/")[0] for name in names}
    lowest = sorted(set(its_folder.values()) - {""})
    used = _first_below(connection, destination, lowest, keys)  # new datasets have folders of their own
    near = [name for name, folder in its_folder.items() if not folder or folder in used]
    above = {folder for one in lowest for folder in (one, *folders(one))}
    exact = _holders(connection, destination, sorted({*above, *near}), keys)
    below = _first_below(connection, destination, near, keys)
    if not exact and not below:
        return {}
    found: dict[str, int] = {}
    for name in names:
        holder = next((exact[probe] for probe in (name, *folders(name)) if probe in exact), below.get(name))
        if holder is not None:
            found[name] = holder
    return found


def _holders(connection: Connection, destination: str, wanted: Sequence[str], keys: str) -> dict[str, int]:
    """Which datafile holds each key; the lowest id where folding makes them alike."""
    found: dict[str, int] = {}
    asked = _asked(connection, wanted)
    for table in _KEYED:
        is_held = (table.c.destination == destination) & (table.c[keys] == asked.c.value)
        holder = func.min(table.c.datafile_id)
        held = select(asked.c.value, holder).select_from(asked.join(table, is_held)).group_by(asked.c.value)
        for name, datafile_id in connection.execute(held):
            found[name] = min(found.get(name, datafile_id), datafile_id)
    return found


def _first_below(connection: Connection, destination: str, names: Sequence[str], keys: str) -> dict[str, int]:
    """Which datafile has the first key that has the name as a folder."""
    first: dict[str, str] = {}
    asked = _asked(connection, names)
    for table in _KEYED:
        for name, key in connection.execute(_keys_below(table, destination, asked, keys)):
            if key is not None:
                first[name] = min(first.get(name, key), key)
    holders = _holders(connection, destination, sorted(set(first.values())), keys)
    return {name: holders[key] for name, key in first.items()}


def _keys_below(table: Table, destination: str, asked: TableValuedAlias, keys: str) -> Select[Any]:
    name = asked.c.value
    is_below = table.c[keys] >= name + "/", table.c[keys] < name + _NEXT_AFTER_SLASH
    # one seek in the index for each name, however much lies below it
    first = select(table.c[keys]).where(table.c.destination == destination, *is_below).order_by(table.c[keys]).limit(1)
    return select(name, first.correlate(asked).scalar_subquery())


def _asked(connection: Connection, names: Sequence[str]) -> TableValuedAlias:
    """The *names* as a table whose column is ``value``, all in one parameter: the statement stays the same."""
    given = literal(json.dumps([storable(name) for name in names]), Text)
    is_sqlite = connection.dialect.name == "sqlite"
    listed = func.json_each(given) if is_sqlite else func.json_array_elements_text(cast(given, JSON))
    return listed.table_valued(column("value", Words), name="asked")


def is_stale(connection: Connection, destination: str, folded: Callable[[str], str]) -> bool:
    """Whether keys of *destination* lack their folded form, or have one by another folding."""
    known = connection.scalar(select(destinations.c.folding).where(destinations.c.name == destination))
    return known != _signature(folded) or any(_unfolded(connection, table, destination) for table in _KEYED)


def refold(connection: Connection, destination: str, folded: Callable[[str], str]) -> None:
    """Give every key of *destination* its folded form."""
    its = destinations.c.name == destination
    if connection.scalar(select(destinations.c.folding).where(its)) != _signature(folded):
        for table in _KEYED:
            connection.execute(update(table).where(table.c.destination == destination).values(folded_key=None))
        connection.execute(update(destinations).where(its).values(folding=_signature(folded)))
    for table in _KEYED:
        new = update(table).where(table.c.destination == destination, table.c.key == bindparam("its_key"))
        while stale := _unfolded(connection, table, destination):
            rows = [{"its_key": key, "folded_key": folded(key)} for key in stale]
            connection.execute(new.values(folded_key=bindparam("folded_key")), rows)


def _unfolded(connection: Connection, table: Table, destination: str) -> Sequence[str]:
    lacks_it = table.c.folded_key.is_(None), table.c.key.is_not(None)
    found = connection.scalars(select(table.c.key).where(table.c.destination == destination, *lacks_it).limit(_PAGE))
    return found.all()


def _signature(folded: Callable[[str], str]) -> str:
    return f"{unicodedata.unidata_version} {folded(_PROBE)}"
