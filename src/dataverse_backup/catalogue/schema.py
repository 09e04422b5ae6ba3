"""Which form of Dataverse's schema a database has, and the query that reads it (facts 1.3 and 1.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from dataverse_backup.catalogue.sql import query
from dataverse_backup.datafile import Kind
from dataverse_backup.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dataverse_backup.catalogue.connection import Session

EVERYTHING = sql.SQL("TRUE")
"""The condition of a query that returns every datafile."""
THESE_IDS = sql.SQL("object.id = ANY(%(ids)s)")
"""The condition of a query that returns the datafiles of some ids: its one parameter, ``ids``."""

THESE_DATASETS = sql.SQL("owner.id = ANY(%(ids)s)")
"""The same of datasets."""

_OF_TABLES = sql.SQL("datatable.datafile_id = ANY(%(ids)s)")
_OF_METADATA = sql.SQL("metadata.datafile_id = ANY(%(ids)s)")

_HAS_PID = """CASE WHEN strpos(%(pid)s, {row}.identifier) > 0
  THEN {row}.protocol || ':' || {row}.authority || COALESCE({separator}, '/') || {row}.identifier = %(pid)s END"""
"""Whether a row has a PID; the row is looked at more closely only where its identifier is part of it."""
_ITS_OWN = _HAS_PID.format(row="object", separator="row_to_json(object)->>'separator'")
_ITS_DATASETS = _HAS_PID.format(row="owner", separator="row_to_json(owner)->>'separator'")
_NAMED = {
    "modern": sql.SQL(f"({_ITS_OWN} OR {_ITS_DATASETS})"),
    "legacy": sql.SQL(_HAS_PID.format(row="dataset", separator="dataset.doiseparator")),
}
"""By form of the query, the condition that returns the datafiles of one PID, their own or their dataset's: its one
parameter, ``pid``."""

_ALTERNATIVES = "alternativepersistentidentifier"
_HARVESTING = "harvestingdataverseconfig"
_AUXILIARY = "auxiliaryfile"
_ALWAYS_READ = ("dvobject", "datafile", "dataset", "datatable", "filemetadata", "datasetversion")
_NO_ALTERNATIVES = sql.SQL(
    "(SELECT 0 AS id, 0 AS dvobject_id, '' AS authority, '' AS identifier, false AS storagelocationdesignator LIMIT 0)"
)
_NO_SEPARATOR = sql.SQL("NULL::text")
_NO_HARVESTING = sql.SQL("(SELECT 0 AS dataverse_id LIMIT 0)")
_NO_AUXILIARY = sql.SQL(
    "(SELECT 0 AS id, 0 AS datafile_id, '' AS formattag, '' AS formatversion, 0 AS filesize, '' AS checksum, "
    "'' AS contenttype LIMIT 0)"
)
_PROVENANCE = sql.SQL("datafile.prov_entityname")
_NO_PROVENANCE = sql.SQL("NULL::text")


_HASHES_TEXT = 110_000
_HASHES_RECORDS = 140_000


@dataclass(frozen=True, slots=True)
class Tables:
    """What a database has of the tables that we know."""

    schema: str
    usable: bool
    """Whether we may use the schema at all."""
    columns: Mapping[str, frozenset[str]]
    selectable: frozenset[str]

    def has(self, table: str, column: str) -> bool:
        """Whether *table* is there with *column*."""
        return column in self.columns.get(table, ())


@dataclass(frozen=True, slots=True)
class Form:
    """One form of the schema: how to read it, and from which tables."""

    releases: str
    """The releases of Dataverse that have it."""
    tables: tuple[str, ...]
    schema: str
    query_name: str
    separator: sql.SQL
    """The column of ``dvobject`` with the separator of a dataset's PID, or NULL where the release has none."""
    has_provenance: bool = False
    """Whether ``datafile`` has a column that is set where provenance was uploaded."""

    def select(self, condition: sql.SQL) -> sql.Composed:
        """The query for the datafiles of *condition*: EVERYTHING or THESE_IDS."""
        return sql.SQL(query(self.query_name)).format(
            schema=sql.Identifier(self.schema),
            alternatives=self._table_or(_ALTERNATIVES, _NO_ALTERNATIVES),
            harvesting=self._table_or(_HARVESTING, _NO_HARVESTING),
            auxiliary=self._table_or(_AUXILIARY, _NO_AUXILIARY),
            provenance=_PROVENANCE if self.has_provenance else _NO_PROVENANCE,
            separator=self.separator,
            condition=condition,
            of_tables=_OF_TABLES if condition is THESE_IDS else EVERYTHING,
            of_metadata=_OF_METADATA if condition is THESE_IDS else EVERYTHING,
        )

    def datasets(self, condition: sql.SQL) -> sql.Composed:
        """The query for the datasets of *condition*: EVERYTHING or THESE_DATASETS."""
        return sql.SQL(query(f"datasets_{self.query_name}")).format(
            schema=sql.Identifier(self.schema),
            alternatives=self._table_or(_ALTERNATIVES, _NO_ALTERNATIVES),
            harvesting=self._table_or(_HARVESTING, _NO_HARVESTING),
            separator=self.separator,
            condition=condition,
        )

    def dataset_ids(self) -> sql.Composed:
        """The query for the ids of all datasets."""
        return sql.SQL("SELECT listed.id FROM ({listed}) AS listed").format(listed=self.datasets(EVERYTHING))

    def marks(self, server_version: int) -> sql.Composed:
        """The query for the ids of all datafiles, each with a number of 64 bits made of all that `select` tells of it.

        Servers before 14 and 11 lack a function for it, and take longer.
        """
        if server_version >= _HASHES_RECORDS:
            mark = sql.SQL("hash_record_extended(listed, 0)")
        elif server_version >= _HASHES_TEXT:
            mark = sql.SQL("hashtextextended(listed::text, 0)")
        else:
            mark = sql.SQL("('x' || left(md5(listed::text), 16))::bit(64)::bigint")
        return sql.SQL("SELECT listed.id, {mark} FROM ({listed}) AS listed").format(
            mark=mark, listed=self.select(EVERYTHING)
        )

    def find(self) -> sql.Composed:
        """The query for the datafiles that go by a PID: the parameter ``pid``."""
        return self.select(_NAMED[self.query_name])

    def _table_or(self, table: str, stand_in: sql.SQL) -> sql.Composable:
        return sql.Identifier(self.schema, table) if table in self.tables else stand_in


def recognise(session: Session, companions: Collection[Kind] = tuple(Kind)) -> Form:
    """The form of the schema that *session* sees, with the tables that tell of these *companions*.

    Raises CatalogueError for none of ours and for missing grants.
    """
    tables = _find_tables(session)
    if not tables.usable:
        raise _missing_grants(session, tables, "schema", _ALWAYS_READ)
    form = _with_companions(_form(tables), tables, companions)
    if absent := [table for table in form.tables if table not in tables.columns]:
        raise _not_ours(session, f"it has a table dvobject, but none of the name {', '.join(absent)}")
    if hidden := tuple(table for table in form.tables if table not in tables.selectable):
        raise _missing_grants(session, tables, "tables", hidden)
    return form


def _find_tables(session: Session) -> Tables:
    names = [*_ALWAYS_READ, _ALTERNATIVES, _HARVESTING, _AUXILIARY]
    rows = session.execute(query("tables").encode(), [names]).fetchall()
    if not rows:
        raise _not_ours(session, "there is no table dvobject")
    return Tables(
        schema=rows[0][0],
        usable=rows[0][1],
        columns={table: frozenset(columns) for _, _, table, _, columns in rows},
        selectable=frozenset(table for _, _, table, selectable, _ in rows if selectable),
    )


def _form(tables: Tables) -> Form:
    """Told apart by what each release added, the newest first."""
    if tables.has("dvobject", "authority"):
        separator = sql.SQL("owner.separator") if tables.has("dvobject", "separator") else _NO_SEPARATOR
        if _ALTERNATIVES in tables.columns:
            return Form("4.9.3 to 6", (*_ALWAYS_READ, _ALTERNATIVES), tables.schema, "modern", separator)
        return Form("4.9 to 4.9.2", _ALWAYS_READ, tables.schema, "modern", separator)
    if tables.has("dvobject", "storageidentifier"):
        return Form("4.8", _ALWAYS_READ, tables.schema, "legacy", _NO_SEPARATOR)
    if tables.has("datafile", "checksumvalue"):
        return Form("4.6 to 4.7", _ALWAYS_READ, tables.schema, "legacy", _NO_SEPARATOR)
    if tables.has("datafile", "md5") and tables.has("dataset", "harvestingclient_id"):
        return Form("4.5", _ALWAYS_READ, tables.schema, "legacy", _NO_SEPARATOR)
    if tables.has("datafile", "md5"):
        return Form("4.0 to 4.4", (*_ALWAYS_READ, _HARVESTING), tables.schema, "legacy", _NO_SEPARATOR)
    raise CatalogueError(
        f"the schema {tables.schema} is of no release of Dataverse that is known here: looked for dvobject.authority, "
        "dvobject.storageidentifier, datafile.checksumvalue and datafile.md5",
        "is [Database] Database the Dataverse database?",
    )


def _with_companions(form: Form, tables: Tables, companions: Collection[Kind]) -> Form:
    """Also read what tells of them, where the release has it: provenance since 4.9, auxiliary files since 5.3."""
    if Kind.AUXILIARY in companions and _AUXILIARY in tables.columns:
        form = replace(form, tables=(*form.tables, _AUXILIARY))
    if Kind.PROVENANCE in companions and tables.has("datafile", "prov_entityname"):
        form = replace(form, has_provenance=True)
    return form


def _not_ours(session: Session, why: str) -> CatalogueError:
    return CatalogueError(
        f"the database {session.info.dbname} is not one of Dataverse: {why}",
        "is [Database] Database the Dataverse database?",
    )


def _missing_grants(session: Session, tables: Tables, what: str, names: tuple[str, ...]) -> CatalogueError:
    """What to grant, ready to be pasted."""
    role, schema = sql.Identifier(session.info.user), sql.Identifier(tables.schema)
    statements = []
    if not tables.usable:
        statements.append(sql.SQL("GRANT USAGE ON SCHEMA {} TO {};").format(schema, role))
        names = tuple(sorted(tables.columns))
    listed = sql.SQL(", ").join(sql.Identifier(tables.schema, name) for name in names)
    statements.append(sql.SQL("GRANT SELECT ON {} TO {};").format(listed, role))
    hint = " ".join(statement.as_string(session) for statement in statements)
    if names == (_AUXILIARY,):
        hint += " Or leave auxiliary out of [Repository] Companions."
    return CatalogueError(
        f"the role {session.info.user} may not read the {what} {', '.join(names) if tables.usable else tables.schema}",
        f"let the owner of the database run: {hint}",
    )
