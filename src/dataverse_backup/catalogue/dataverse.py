"""The database of a Dataverse installation, 4.0 or later, read only."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from psycopg.rows import args_row, scalar_row, tuple_row

from dataverse_backup.catalogue.base import Catalogue, Snapshot
from dataverse_backup.catalogue.connection import DatabaseAddress, session
from dataverse_backup.catalogue.rows import DatasetRecord, Record, interpret, interpret_dataset
from dataverse_backup.catalogue.schema import EVERYTHING, THESE_DATASETS, THESE_IDS, recognise
from dataverse_backup.datafile import Datafile, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence
    from datetime import tzinfo

    from dataverse_backup.catalogue.connection import Session
    from dataverse_backup.catalogue.schema import Form
    from dataverse_backup.datafile import Mark, NotHere

__all__ = ["DatabaseAddress", "DataverseCatalogue"]

_ROWS_AT_ONCE = 5_000
"""How many rows are in memory, and are asked for in one round trip, while streaming."""
_MARKS_AT_ONCE = 50_000


class _Session(Snapshot):
    """The snapshot of a session's transaction."""

    def __init__(
        self,
        connection: Session,
        form: Form,
        interpret: Callable[[Record], Datafile | NotHere],
        interpret_dataset: Callable[[DatasetRecord], Datafile | None],
        *,
        tells_datasets: bool,
    ) -> None:
        self._connection, self._form, self._interpret = connection, form, interpret
        self._interpret_dataset, self._tells_datasets = interpret_dataset, tells_datasets

    def rows(self) -> Generator[Datafile | NotHere]:
        with self._connection.cursor("datafiles", row_factory=args_row(Record)) as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            cursor.execute(self._form.select(EVERYTHING))
            for record in cursor:
                yield self._interpret(record)

    def marks(self) -> Generator[Mark]:
        with self._connection.cursor("marks", binary=True, row_factory=tuple_row) as cursor:
            cursor.execute(self._form.marks(self._connection.info.server_version))
            yield from _read_ahead(partial(cursor.fetchmany, _MARKS_AT_ONCE))

    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        if not ids:
            return {}
        with self._connection.cursor(row_factory=args_row(Record)) as cursor:
            cursor.execute(self._form.select(THESE_IDS), {"ids": list(ids)})
            found = {record.id: self._interpret(record) for record in cursor}
        others = [number for number in ids if number not in found]
        return found | self._read_datasets(others) if others else found

    def datasets(self) -> list[int]:
        if not self._tells_datasets:
            return []
        with self._connection.cursor(row_factory=scalar_row) as cursor:
            cursor.execute(self._form.dataset_ids())
            return cursor.fetchall()

    def _read_datasets(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        with self._connection.cursor(row_factory=args_row(DatasetRecord)) as cursor:
            cursor.execute(self._form.datasets(THESE_DATASETS), {"ids": list(ids)})
            found = (self._interpret_dataset(record) for record in cursor)
            return {dataset.id: dataset for dataset in found if dataset is not None}


def _read_ahead(fetch: Callable[[], Sequence[Mark]]) -> Generator[Mark]:
    """What *fetch* gives until it gives nothing: the server makes the next portion while this one is looked at."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as ahead:
        following = ahead.submit(fetch)
        while portion := following.result():
            following = ahead.submit(fetch)
            yield from portion


class DataverseCatalogue(Catalogue):
    """What the Dataverse database says; each call has a session, a transaction and a snapshot of its own."""

    def __init__(
        self,
        address: DatabaseAddress,
        timezone: tzinfo,
        default_store: str = "file",
        companions: Collection[Kind] = tuple(Kind),
    ) -> None:
        """Read the database at *address*, connecting only when asked something.

        Its times are local ones of *timezone*; a datafile without a store prefix is in *default_store*. Datafiles come
        with their *companions* of these kinds.
        """
        self._address = address
        self._timezone = timezone
        self._default_store = default_store
        self._companions = frozenset(companions)
        self.interpretation = (
            f"times of {timezone}, {default_store} where no store is named, beside them {sorted(self._companions)}"
        )
        self._open: set[Session] = set()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """As ``Catalogue.snapshot``: a transaction. Without an encoding, bytes that are no UTF-8 become surrogates."""
        with session(self._address) as connection:
            self._open.add(connection)
            try:
                form, tells_datasets = self._recognise(connection), Kind.LOGO in self._companions
                yield _Session(connection, form, self._interpret, self._dataset, tells_datasets=tells_datasets)
            finally:
                self._open.discard(connection)

    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        """As ``Catalogue.read``: one short transaction."""
        if not ids:
            return {}
        with self.snapshot() as snapshot:
            return snapshot.read(ids)

    def named(self, persistent_id: str, limit: int | None = None) -> list[int]:
        """As ``Catalogue.named``: looks at every row."""
        if not persistent_id.isprintable():  # no PID is, and no server takes NUL or lone surrogates
            return []
        with session(self._address) as connection:
            statement = self._recognise(connection).find()
            with connection.cursor("named", row_factory=args_row(Record)) as cursor:
                cursor.execute(statement, {"pid": persistent_id})
                return [record.id for record in islice(cursor, limit)]

    def inspect(self) -> str:
        """As ``Catalogue.inspect``: ``PostgreSQL 15.18, Dataverse 4.9.3 to 6``."""
        with session(self._address) as connection:
            form = self._recognise(connection)
            # A first row, so that whatever would stop `rows` stops this.
            with connection.cursor("first", row_factory=args_row(Record)) as cursor:
                cursor.execute(form.select(EVERYTHING))
                cursor.fetchone()
            version = (connection.info.parameter_status("server_version") or "").split()[0]
            return f"PostgreSQL {version}, schema of Dataverse {form.releases}"

    def count_by_store(self) -> dict[str, int]:
        """As ``Catalogue.count_by_store``; reads every row, so that it cannot disagree with ``rows``."""
        with closing(self.rows()) as rows:
            return dict(Counter(row.store_id for row in rows if isinstance(row, Datafile)))

    def close(self) -> None:
        """End what still streams."""
        for connection in list(self._open):
            connection.close()

    def _interpret(self, record: Record) -> Datafile | NotHere:
        return interpret(record, self._timezone, self._default_store, self._companions)

    def _dataset(self, record: DatasetRecord) -> Datafile | None:
        return interpret_dataset(record, self._timezone, self._default_store)

    def _recognise(self, connection: Session) -> Form:
        return recognise(connection, self._companions)
