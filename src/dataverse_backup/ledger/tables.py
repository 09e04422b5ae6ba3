"""The ledger's tables, and what is derived from their columns.

``datafilestatus`` is the table of the original script, its columns meaning what they meant (facts 6.7), with more
columns. A change here needs a migration beside it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    case,
    func,
    literal_column,
    null,
)

from dataverse_backup.datafile import LOGO, MAIN
from dataverse_backup.ledger.column_types import Instant, Words
from dataverse_backup.ledger.records import Status


def _number() -> Column[int]:
    # SQLite gives numbers of its own only to a column declared INTEGER PRIMARY KEY
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)


def _object() -> Column[str]:
    return Column("object", String(255), nullable=False, default=MAIN)


metadata = MetaData(
    # names of our own: the original's table keeps the names that PostgreSQL gave its indexes and constraints
    naming_convention={
        "pk": "%(table_name)s_primary",
        "uq": "%(table_name)s_one_%(column_0_N_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_of_%(referred_table_name)s",
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
    }
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Words, primary_key=True),
    Column("made", Instant, nullable=False),
    Column("original_rows", BigInteger),  # of the original script's table; NULL where there was none
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", Words, primary_key=True),
    Column("claimed", Instant),  # when it was given our identity
    Column("folding", Words),  # which folding its folded keys are made with
    Column("abilities", Words),  # what it can do, in its own words
    Column("room", Integer),  # for so many workers at once, where that is fewer than were wanted
    Column("layout", Words),  # what its marks were settled under
    Column("logos_after", BigInteger, nullable=False, default=0, server_default="0"),  # the dataset asked last
    Column("logos_newest", BigInteger, nullable=False, default=0, server_default="0"),  # the newest one ever asked
)

runs = Table(
    "runs",
    metadata,
    _number(),
    Column("run", Words, nullable=False, unique=True),
    Column("verb", Words, nullable=False),
    Column("destination", Words, nullable=False),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("outcome", Words, nullable=False, default=""),
    Column("files_ok", BigInteger, nullable=False, default=0),
    Column("files_failed", BigInteger, nullable=False, default=0),
    Column("bytes_sent", BigInteger, nullable=False, default=0),
    Column("bytes_read", BigInteger, nullable=False, default=0, server_default="0"),
    Column("message", Words, nullable=False, default="", server_default=""),  # why it ended before its time
)

datafilestatus = Table(
    "datafilestatus",
    metadata,
    _number(),
    Column("datasetidentifier", Words),  # <storage authority>/<storage identifier>
    Column("storageidentifier", Words, nullable=False),
    Column("status", String(16)),  # OK, FAIL_READ, FAIL_WRITE; NULL while never tried
    Column("createdate", Instant),  # the datafile's, in Dataverse
    Column("lastbackuptime", Instant),  # when it was last tried
    Column("lastbackupmethod", String(16)),
    Column("datafile_id", BigInteger, nullable=False),
    _object(),
    Column("destination", Words, nullable=False),
    Column("key", Words),
    Column("folded_key", Words),  # derived from key, NULL until somebody asks
    Column("store", Words, nullable=False),
    Column("persistent_id", Words, nullable=False),
    Column("label", Words, nullable=False),
    Column("directory_label", Words, nullable=False),
    Column("size", BigInteger),  # as registered
    Column("checksum", Words),  # as registered
    Column("fingerprint", Words, nullable=False),
    Column("mark", BigInteger),  # of the row with which it was settled; NULL where it is to be looked at
    Column("reason", Words),
    Column("message", Words, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("failing_since", Instant),
    Column("not_here", Words),  # the reason, while no store of ours holds it
    Column("not_here_message", Words, nullable=False, default=""),
    Column("gone_since", Instant),  # while the catalogue does not have it
    Column("is_tabular", Boolean, nullable=False, default=False),
    Column("content_type", Words, nullable=False, default=""),
    Column("original_name", Words, nullable=False, default=""),
)
Index(None, datafilestatus.c.destination, datafilestatus.c.datafile_id, datafilestatus.c.object, unique=True)
Index(None, datafilestatus.c.destination, datafilestatus.c.key)
Index(None, datafilestatus.c.destination, datafilestatus.c.folded_key)
IS_COMPANION = datafilestatus.c.object != literal_column(f"'{MAIN}'")
"""Spelled out, and not with a parameter: only so does a database see that the index of companions fits."""
Index(
    "datafilestatus_companions",  # few among many: they are looked for in each plan
    datafilestatus.c.destination,
    datafilestatus.c.datafile_id,
    sqlite_where=IS_COMPANION,
    postgresql_where=IS_COMPANION,
)
IS_LOGO = func.substr(datafilestatus.c.object, literal_column("1"), literal_column("4")) == literal_column(f"'{LOGO}'")
"""Spelled out for the same reason."""
Index(
    "datafilestatus_logos",
    datafilestatus.c.destination,
    datafilestatus.c.datafile_id,
    sqlite_where=IS_LOGO,
    postgresql_where=IS_LOGO,
)
Index(None, datafilestatus.c.datasetidentifier, datafilestatus.c.datafile_id, datafilestatus.c.destination)

copies = Table(
    "copies",
    metadata,
    # Datafile first: PostgreSQL without statistics (a first run, just ended) would otherwise join by destination alone
    Column("datafile_id", BigInteger, primary_key=True, autoincrement=False),
    Column("destination", Words, primary_key=True),
    Column("object", String(255), primary_key=True, default=MAIN),
    Column("key", Words, nullable=False),
    Column("folded_key", Words),
    Column("size", BigInteger, nullable=False),
    Column("checksum", Words, nullable=False),
    Column("registered", Words),
    Column("verified_by", Words, nullable=False),
    Column("durable", Words, nullable=False),
    Column("proven", Instant, nullable=False),
    Column("verdict", Words),  # of the last audit, where it was not that it is intact
    Column("judged", Instant),  # when
)
Index(None, copies.c.destination, copies.c.proven, copies.c.datafile_id, copies.c.object)
Index(None, copies.c.destination, copies.c.key, unique=True)
Index(None, copies.c.destination, copies.c.folded_key)

stale_manifests = Table(
    "stale_manifests",  # datasets whose manifest at a destination is not as the ledger is
    metadata,
    Column("destination", Words, primary_key=True),
    Column("datasetidentifier", Words, primary_key=True),
)

attempts = Table(
    "attempts",
    metadata,
    _number(),
    Column("run", Words, ForeignKey(runs.c.run), nullable=False),
    Column("datafile_id", BigInteger, nullable=False),
    _object(),
    Column("destination", Words, nullable=False),
    Column("storageidentifier", Words, nullable=False),
    Column("status", String(16), nullable=False),
    Column("key", Words),
    Column("reason", Words),
    Column("message", Words, nullable=False),
    Column("method", Words, nullable=False),
    Column("started", Instant, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("bytes_sent", BigInteger, nullable=False),
    Column("size", BigInteger),  # of the copy that it proved, and so on
    Column("checksum", Words),
    Column("registered", Words),
    Column("verified_by", Words),
    Column("durable", Words),
    Column("proven", Instant),
)
Index(None, attempts.c.run, attempts.c.id)
Index(None, attempts.c.datafile_id, attempts.c.destination, attempts.c.id)

primaries = Table(
    "primaries",
    metadata,
    Column("datafile_id", BigInteger, primary_key=True, autoincrement=False),
    Column("object", String(255), primary_key=True, default=MAIN),
    Column("store", Words, nullable=False),
    Column("size", BigInteger),
    Column("proven", Instant),  # NULL until it was
    Column("verdict", Words),  # of the last audit, where it was not that it is intact
    Column("judged", Instant),  # when
)
Index(None, primaries.c.proven, primaries.c.datafile_id)

verdicts = Table(
    "verdicts",
    metadata,
    _number(),
    Column("run", Words, ForeignKey(runs.c.run), nullable=False),
    Column("datafile_id", BigInteger, nullable=False),
    _object(),
    Column("destination", Words, nullable=False),  # '' of the primary
    Column("persistent_id", Words, nullable=False),
    Column("directory_label", Words, nullable=False),
    Column("label", Words, nullable=False),
    Column("store", Words, nullable=False),
    Column("storageidentifier", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("verdict", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("how", Words),
    Column("at", Instant, nullable=False),
    Column("size", BigInteger),
)
Index(None, verdicts.c.run, verdicts.c.id)
Index(None, verdicts.c.datafile_id, verdicts.c.id)

dumps = Table(
    "dumps",  # of the Dataverse database: every try
    metadata,
    _number(),
    Column("run", Words, ForeignKey(runs.c.run), nullable=False),
    Column("destination", Words, nullable=False),
    Column("taken", Instant, nullable=False),
    Column("message", Words, nullable=False),
    Column("hint", Words, nullable=False),
    Column("kept", Integer),  # generations that lay there afterwards
    Column("key", Words),  # of what it brought, and so on; NULL where it failed
    Column("size", BigInteger),
    Column("checksum", Words),
    Column("verified_by", Words),
    Column("durable", Words),
    Column("proven", Instant),
    Column("verdict", Words),  # of the last audit, where it was not that it is intact
)
Index(None, dumps.c.destination, dumps.c.id)

removals = Table(
    "removals",
    metadata,
    _number(),
    Column("run", Words, ForeignKey(runs.c.run), nullable=False),
    Column("destination", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("datafile_id", BigInteger),  # NULL of a copy that was moved aside; so are checksum to proven
    Column("object", String(255), nullable=False, default=MAIN, server_default=MAIN),
    Column("checksum", Words),
    Column("registered", Words),
    Column("verified_by", Words),
    Column("durable", Words),
    Column("proven", Instant),
    Column("begun", Instant, nullable=False),
    Column("ended", Instant),  # NULL while nobody knows what became of it
    Column("outcome", Words),
    Column("message", Words, nullable=False, default="", server_default=""),
)
Index(None, removals.c.destination, removals.c.ended)
Index(None, removals.c.datafile_id)

drills = Table(
    "drills",
    metadata,
    _number(),
    Column("run", Words, ForeignKey(runs.c.run), nullable=False),
    Column("destination", Words, nullable=False),
    Column("started", Instant, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("files", BigInteger, nullable=False),  # restored and proven
    Column("size", BigInteger, nullable=False),  # bytes of these
    Column("failed", BigInteger, nullable=False),
    Column("dataset", Words, nullable=False),
    Column("oldest_proof", Instant),  # of all copies that were OK there
    Column("newest_proof", Instant),
    Column("message", Words, nullable=False),
    Column("failures", Words, nullable=False),  # JSON: a list of datafile id, key and message of each, the first few
)
Index(None, drills.c.destination, drills.c.id)

original_names = Table(
    "original_names",
    metadata,
    Column("original_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Words, primary_key=True),  # a name by which the original's row may be known
    Column("datasetidentifier", Words, nullable=False),
    Column("has_copy", Integer, nullable=False),  # 1 where the original called it OK
    Column("lastbackuptime", Instant),
)
Index(None, original_names.c.datasetidentifier, original_names.c.name)

original_matches = Table(
    "original_matches",
    metadata,
    Column("original_id", BigInteger, primary_key=True, autoincrement=False),
    Column("datafile_id", BigInteger, primary_key=True, autoincrement=False, index=True),
)

_IS_GONE = datafilestatus.c.gone_since.is_not(None)
_IS_NOT_HERE = datafilestatus.c.not_here.is_not(None)

shown_status: ColumnElement[str] = case(
    (_IS_GONE, Status.GONE.value),
    (_IS_NOT_HERE, Status.NOT_HERE.value),
    else_=func.coalesce(datafilestatus.c.status, Status.PENDING.value),
).label("shown_status")
"""Where a datafile stands: gone, else not here, else what its attempts made of it."""

shown_reason: ColumnElement[str | None] = case(
    (_IS_GONE, null()), (_IS_NOT_HERE, datafilestatus.c.not_here), else_=datafilestatus.c.reason
).label("shown_reason")

shown_message: ColumnElement[str] = case(
    (_IS_GONE, ""), (_IS_NOT_HERE, datafilestatus.c.not_here_message), else_=datafilestatus.c.message
).label("shown_message")
