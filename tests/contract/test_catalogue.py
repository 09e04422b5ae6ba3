"""The contract of a catalogue, for every form of Dataverse's schema and for the one in memory."""

from __future__ import annotations

import tracemalloc
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest

from dataverse_backup.catalogue.connection import session
from dataverse_backup.catalogue.dataverse import DataverseCatalogue
from dataverse_backup.catalogue.memory import MemoryCatalogue
from dataverse_backup.catalogue.schema import recognise
from dataverse_backup.datafile import AUXILIARY, DATASET, LOGO, PROVENANCE, TAB, Datafile, Kind, NotHere
from dataverse_backup.errors import CatalogueError, Reason
from dataverse_backup.fixity import Algorithm, Checksum
from tests.contract.catalogue_cases import MADE, MD5, MODERN, SCHEMAS, WITH_ALTERNATIVES, Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.catalogue.base import Catalogue
    from tests.servers.postgresql import PostgresServer

_numbers = count(1)


@contextmanager
def installed(postgres: PostgresServer, form: str, encoding: str = "UTF8") -> Iterator[Installation]:
    """A Dataverse of its own, to be altered at will."""
    name = f"catalogue_{next(_numbers)}"
    postgres.create_database(name, encoding=encoding)
    try:
        postgres.execute(name, SCHEMAS[form])
        with postgres.connect(name) as connection:
            installation = Installation(postgres, name, form, connection)
            installation.empty()
            yield installation
    finally:
        postgres.drop(name)


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> Iterator[Callable[[str], Installation]]:
    """Gives the Dataverse of a form that all tests use, emptied: to make one takes longer than to test it."""
    with ExitStack() as stack:
        made = cache(lambda form: stack.enter_context(installed(postgres, form)))

        def emptied(form: str) -> Installation:
            installation = made(form)
            installation.empty()
            return installation

        yield emptied


@pytest.fixture(params=SCHEMAS)
def dataverse(request: pytest.FixtureRequest, shared: Callable[[str], Installation]) -> Installation:
    """A Dataverse of each form; its schema must stay as it is."""
    return shared(request.param)


@pytest.fixture
def modern(shared: Callable[[str], Installation]) -> Installation:
    return shared("modern")


def only(catalogue: Catalogue) -> Datafile:
    (row,) = catalogue.rows()
    assert isinstance(row, Datafile)
    return row


def only_not_here(catalogue: Catalogue) -> NotHere:
    (row,) = catalogue.rows()
    assert isinstance(row, NotHere)
    return row


@pytest.fixture(params=[*SCHEMAS, "memory"])
def filled(request: pytest.FixtureRequest, shared: Callable[[str], Installation]) -> Iterator[Catalogue]:
    """Three datafiles in two stores, and one without a dataset; in memory as the database told it."""
    installation = shared("modern" if request.param == "memory" else request.param)
    dataset = installation.dataset()
    for store in ("s3://bucket:", "local://", "s3://bucket:"):
        installation.datafile(dataset, f"{store}18b-1")
    installation.datafile(None)
    catalogue: Catalogue = installation.catalogue()
    if request.param == "memory":
        catalogue = MemoryCatalogue(reversed(list(catalogue.rows())))
    with catalogue:
        yield catalogue


def test_each_datafile_comes_once_by_id(filled: Catalogue) -> None:
    ids = [row.id for row in filled.rows()]
    assert len(ids) == 4
    assert ids == sorted(set(ids))


def test_reading_ids_gives_the_same_rows_and_leaves_out_what_is_gone(filled: Catalogue) -> None:
    rows = {row.id: row for row in filled.rows()}
    assert filled.read([*reversed(rows), 4711]) == rows
    first = min(rows)
    assert filled.read([first]) == {first: rows[first]}
    assert filled.read([]) == {}


def test_a_snapshot_has_a_mark_for_each_row_and_reads_rows_by_their_ids(filled: Catalogue) -> None:
    with filled.snapshot() as snapshot:
        rows = {row.id: row for row in snapshot.rows()}
        marks = list(snapshot.marks())
        assert [number for number, _ in marks] == list(rows)
        assert len({mark for _, mark in marks}) == len(rows)
        assert list(snapshot.marks()) == marks
        assert snapshot.read([*rows, 4711]) == rows


def test_datafiles_are_found_by_the_pid_of_their_dataset(filled: Catalogue) -> None:
    rows = list(filled.rows())
    pids = {row.id: row.dataset.persistent_id if isinstance(row, Datafile) else row.persistent_id for row in rows}
    pid = next(pid for pid in pids.values() if pid)
    expected = [number for number, its in pids.items() if its == pid]
    assert filled.named(pid, 9) == expected
    assert filled.named(pid, 1) == expected[:1]
    assert filled.named(pid) == expected
    for other in ("", "doi:", pid[:-1], f"{pid}x", pid.upper() + "'%", "\0\ud800"):
        assert filled.named(other, 9) == []


def test_a_datafile_is_found_by_its_own_pid_where_it_has_one(dataverse: Installation) -> None:
    own = {"protocol": "doi", "authority": "10.5072", "identifier": "FK2/DATA/FILE1", "separator": "/"}
    number = dataverse.datafile(dataverse.dataset(), **own)
    dataverse.datafile(dataverse.dataset())
    with dataverse.catalogue() as catalogue:
        expected = [number] if dataverse.form in MODERN else []
        assert catalogue.named("doi:10.5072/FK2/DATA/FILE1", 9) == expected


def test_stores_are_counted_without_what_is_not_here(filled: Catalogue) -> None:
    assert filled.count_by_store() == {"s3": 2, "local": 1}


def test_it_can_be_inspected_and_closed_twice(filled: Catalogue) -> None:
    assert filled.inspect()
    filled.close()
    filled.close()


def test_closing_ends_a_stream_that_was_begun(filled: Catalogue) -> None:
    with closing(filled.rows()) as rows:
        next(rows)
    assert [*filled.rows()]


def test_every_form_says_what_it_is(dataverse: Installation) -> None:
    releases = {"4.9": "4.9 to 4.9.2", "C": "4.8", "B": "4.6 to 4.7", "A2": "4.5", "A1": "4.0 to 4.4"}
    said = dataverse.catalogue().inspect()
    assert said.startswith("PostgreSQL ")
    assert said.endswith(f" Dataverse {releases.get(dataverse.form, '4.9.3 to 6')}")


def test_a_datafile_is_told_whole(dataverse: Installation) -> None:
    dataset = dataverse.dataset()
    number = dataverse.datafile(dataset, "s3://bucket:18b-1")
    dataverse.named(number, dataverse.version(dataset, "RELEASED", 1), "data.txt", "raw")
    file = only(dataverse.catalogue())
    assert (file.id, file.store_id, file.size, file.content_type) == (number, "s3", 5, "text/plain")
    assert file.storageidentifier.startswith("s3://bucket:18b-1")
    assert file.checksum == Checksum(Algorithm.MD5, MD5)
    assert file.dataset.persistent_id == f"doi:10.5072/FK2/{dataset}"
    assert file.dataset.storage_path == f"10.5072/FK2/{dataset}"
    assert (file.label, file.directory_label) == ("data.txt", "" if dataverse.form in ("A1", "A2") else "raw")
    assert file.created == MADE.replace(tzinfo=UTC)
    assert not file.is_tabular


def test_harvested_datafiles_do_not_come(dataverse: Installation) -> None:
    harvested = dataverse.datafile(dataverse.dataset(is_harvested=True))
    ours = dataverse.datafile(dataverse.dataset())
    catalogue = dataverse.catalogue()
    assert only(catalogue).id == ours
    assert set(catalogue.read([harvested, ours])) == {ours}


def test_what_lies_beside_a_datafile_comes_with_it(dataverse: Installation) -> None:
    dataset = dataverse.dataset()
    number = dataverse.datafile(dataset, "file://18b", prov_entityname="survey.sav", filesize=9)
    dataverse.insert("datatable", id=7, datafile_id=number, unf="UNF:6:x==")
    for tag, checksum in (("dpJson", "a" * 64), ("NcML", None)):
        known = {"formattag": tag, "formatversion": "0.1", "checksum": checksum, "filesize": 3, "contenttype": "x/y"}
        dataverse.insert("auxiliaryfile", datafile_id=number, **known)
    dataverse.datafile(dataset)
    with dataverse.catalogue() as catalogue:
        row, plain = catalogue.rows()
        assert catalogue.read([number]) == {number: row}
    assert isinstance(row, Datafile)
    assert isinstance(plain, Datafile)
    assert plain.companions == ()
    found = {one.tag: (one.storageidentifier, one.size, one.checksum, one.version) for one in row.companions}
    expected: dict[str, tuple[object, ...]] = {TAB: ("file://18b", 9, None, "row 7, UNF:6:x==")}
    if dataverse.form in MODERN:
        expected |= {PROVENANCE: ("file://18b.prov-json.json", None, None, "survey.sav")}
    if dataverse.form in WITH_ALTERNATIVES:
        checksum_of_it = Checksum(Algorithm.SHA256, "a" * 64)
        expected |= {f"{AUXILIARY}dpJson_0.1": ("file://18b.dpJson_0.1", 3, checksum_of_it, "")}
        expected |= {f"{AUXILIARY}NcML_0.1": ("file://18b.NcML_0.1", 3, None, "")}
    assert found == expected


def test_a_mark_changes_with_what_lies_beside(modern: Installation) -> None:
    number = modern.datafile(modern.dataset())
    marks = []
    for change in (
        "SELECT 1",
        f"INSERT INTO datatable (id, datafile_id, unf) VALUES (1, {number}, 'a')",
        f"DELETE FROM datatable; INSERT INTO datatable (id, datafile_id, unf) VALUES (2, {number}, 'a')",
        f"UPDATE datafile SET prov_entityname = 'a' WHERE id = {number}",
        f"INSERT INTO auxiliaryfile (datafile_id, formattag, formatversion) VALUES ({number}, 'a', '1')",
        "UPDATE auxiliaryfile SET checksum = 'b'",
        "DELETE FROM auxiliaryfile",
    ):
        modern.execute(change)
        with modern.catalogue() as catalogue, catalogue.snapshot() as snapshot:
            marks += [mark for _, mark in snapshot.marks()]
    assert len(set(marks)) == len(marks) - 1
    assert marks[-1] == marks[3]


def test_datasets_are_told_with_where_their_logos_would_lie(dataverse: Installation) -> None:
    first, harvested, second = dataverse.dataset(), dataverse.dataset(is_harvested=True), dataverse.dataset()
    file = dataverse.datafile(first)
    dataverse.execute("UPDATE dvobject SET createdate = '2020-01-01'")
    with dataverse.catalogue(default_store="usual") as catalogue, catalogue.snapshot() as snapshot:
        assert snapshot.datasets() == [first, second]
        rows = snapshot.read([first, file, harvested, second, 4711])
        assert [row.id for row in snapshot.rows()] == [file]
        assert catalogue.read([first]) == {first: rows[first]}
    assert set(rows) == {first, file, second}
    told = rows[first]
    assert isinstance(told, Datafile)
    assert (told.tag, told.dataset.storage_path, told.store_id) == (DATASET, f"10.5072/FK2/{first}", "usual")
    assert told.dataset.persistent_id == f"doi:10.5072/FK2/{first}"
    logo = told.object_of(LOGO)
    assert logo is not None
    assert (logo.id, logo.location) == (first, "dataset_logo_original")


def test_the_store_of_a_dataset_is_told_where_it_is_registered(modern: Installation) -> None:
    here, moved = (modern.dataset(storageidentifier=f"s3://10.5072/FK2/{n}") for n in (1, 2))
    modern.alternative(moved, "1902.1", "12345", designated=True)
    rows = modern.catalogue().read([here, moved])
    told = {row.id: (row.store_id, row.dataset.storage_path) for row in rows.values() if isinstance(row, Datafile)}
    assert told == {here: ("s3", f"10.5072/FK2/{here}"), moved: ("s3", "1902.1/12345")}


def test_where_nobody_wants_logos_no_dataset_is_told_but_those_that_are_asked_for(modern: Installation) -> None:
    number = modern.dataset()
    catalogue = DataverseCatalogue(modern.address, ZoneInfo("UTC"), companions=[Kind.TAB])
    with catalogue.snapshot() as snapshot:
        assert (snapshot.datasets(), list(snapshot.read([number]))) == ([], [number])


def test_what_is_not_wanted_beside_needs_no_grant(modern: Installation) -> None:
    modern.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    try:
        modern.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain; REVOKE ALL ON auxiliaryfile FROM plain")
        address = replace(modern.address, user="plain", password="plain")
        with pytest.raises(CatalogueError, match="may not read the tables auxiliaryfile") as caught:
            list(DataverseCatalogue(address, ZoneInfo("UTC")).rows())
        assert "leave auxiliary out of [Repository] Companions" in caught.value.hint
        assert list(DataverseCatalogue(address, ZoneInfo("UTC"), companions=[Kind.TAB]).rows()) == []
    finally:
        modern.execute("DROP OWNED BY plain; DROP ROLE plain")


def test_an_ingested_datafile_is_tabular(dataverse: Installation) -> None:
    number = dataverse.datafile(dataverse.dataset())
    for _ in range(2):
        dataverse.insert("datatable", datafile_id=number, unf="UNF:6:x==")
    assert only(dataverse.catalogue()).is_tabular


def test_an_ingested_datafile_tells_what_its_original_was_called(dataverse: Installation) -> None:
    dataset = dataverse.dataset()
    number = dataverse.datafile(dataset)
    dataverse.named(number, dataverse.version(dataset, "RELEASED", 1), "data.tab")
    dataverse.insert("datatable", datafile_id=number, unf="UNF:6:x==", originalfileformat="application/x-spss-sav")
    assert only(dataverse.catalogue()).original_name == "data.sav"


@pytest.mark.parametrize("value", ["", "unknown", "Unknown", "Not available in Dataverse", MD5[:-1]])
def test_a_placeholder_is_no_checksum(dataverse: Installation, value: str) -> None:
    dataverse.datafile(dataverse.dataset(), checksumvalue=value)
    assert only(dataverse.catalogue()).checksum is None


def test_every_algorithm_is_read_as_the_database_names_it(modern: Installation) -> None:
    dataset = modern.dataset()
    for algorithm in Algorithm:
        modern.datafile(dataset, checksumtype=algorithm.name, checksumvalue="AB" * (algorithm.hex_length // 2))
    found = [row.checksum.algorithm for row in modern.catalogue().rows() if isinstance(row, Datafile) and row.checksum]
    assert found == list(Algorithm)


@pytest.mark.parametrize(("size", "expected"), [(None, None), (-1, None), (0, 0), (2**40, 2**40)])
def test_a_size_is_bytes_or_unknown(dataverse: Installation, size: int | None, expected: int | None) -> None:
    dataverse.datafile(dataverse.dataset(), filesize=size)
    assert only(dataverse.catalogue()).size == expected


@pytest.mark.parametrize(
    ("identifier", "store"),
    [
        ("18b-x", "standard"),
        ("file://18b-x", "file"),
        ("local://sub/18b-x", "local"),
        ("s3://18b-x", "s3"),
        ("://odd", "standard"),
        ("file://dir/ends:", "file"),
        ("swift://endpoint1:doi-10-5072:FK2/A/18b-x", "swift"),
    ],
)
def test_the_store_is_named_before_the_colon(dataverse: Installation, identifier: str, store: str) -> None:
    dataverse.datafile(dataverse.dataset(), identifier)
    file = only(dataverse.catalogue(default_store="standard"))
    assert (file.store_id, file.storageidentifier) == (store, identifier)


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("", Reason.NO_IDENTIFIER),
        ("file://", Reason.PREFIX_ONLY),
        ("http://", Reason.PREFIX_ONLY),
        ("s3://bucket:", Reason.PREFIX_ONLY),
        ("tmp://18b-x", Reason.TEMPORARY),
    ],
)
def test_a_row_that_names_no_object_says_why(dataverse: Installation, identifier: str, reason: Reason) -> None:
    dataset = dataverse.dataset()
    number = dataverse.datafile(dataset, identifier)
    row = only_not_here(dataverse.catalogue())
    assert (row.id, row.reason, row.storageidentifier) == (number, reason, identifier)
    assert row.persistent_id == f"doi:10.5072/FK2/{dataset}"
    assert row.message
    assert row.created == MADE.replace(tzinfo=UTC)


@pytest.mark.parametrize("what", ["no owner", "owner is a collection", "no datafile row", "empty identifier"])
def test_a_datafile_without_a_dataset_is_not_dropped(dataverse: Installation, what: str) -> None:
    if what == "no owner":
        number, said = dataverse.datafile(None), "owner_id is empty"
    elif what == "owner is a collection":
        collection = dataverse.collection()
        number, said = dataverse.datafile(collection), f"its owner, dvobject {collection}, is no dataset"
    elif what == "no datafile row":
        number, said = dataverse.datafile(dataverse.dataset()), "no counterpart in datafile"
        dataverse.execute("DELETE FROM datafile")
    else:
        number, said = dataverse.datafile(dataverse.dataset(identifier="")), "no persistent identifier"
    row = only_not_here(dataverse.catalogue())
    assert (row.id, row.reason) == (number, Reason.NO_DATASET)
    assert said in row.message


def test_a_datafile_that_is_not_marked_as_one_is_not_dropped(dataverse: Installation) -> None:
    number = dataverse.datafile(dataverse.dataset())
    dataverse.execute("UPDATE dvobject SET dtype = NULL WHERE id = %s", [number])
    assert only(dataverse.catalogue()).id == number


def test_the_latest_name_is_told(dataverse: Installation) -> None:
    dataset = dataverse.dataset()
    number = dataverse.datafile(dataset)
    for major, minor in ((2, 0), (10, 1), (10, 0), (9, 0)):
        dataverse.named(number, dataverse.version(dataset, "RELEASED", major, minor), f"v{major}.{minor}")
    assert only(dataverse.catalogue()).label == "v10.1"
    dataverse.named(number, dataverse.version(dataset, "DRAFT", None, None), "draft")
    assert only(dataverse.catalogue()).label == "draft"


def test_names_come_as_they_were_written(dataverse: Installation) -> None:
    dataset = dataverse.dataset(authority="10.18710", identifier="AB C/ééé")
    number = dataverse.datafile(dataset, "file://x y\n😀.txt")
    dataverse.named(number, dataverse.version(dataset, "RELEASED", 1), "tab\there 'quoted' \\ ü")
    file = only(dataverse.catalogue())
    assert file.dataset.storage_path == "10.18710/AB C/ééé"
    assert file.storageidentifier == "file://x y\n😀.txt"
    assert file.label == "tab\there 'quoted' \\ ü"


def test_a_time_without_a_zone_is_one_of_the_configured_zone(dataverse: Installation) -> None:
    dataverse.datafile(dataverse.dataset())
    assert only(dataverse.catalogue(ZoneInfo("Europe/Berlin"))).created == datetime(2019, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2019-10-27 02:30", datetime(2019, 10, 27, 0, 30, tzinfo=UTC)),  # came twice
        ("2019-03-31 02:30", datetime(2019, 3, 31, 1, 30, tzinfo=UTC)),  # was skipped
        ("infinity", datetime(9999, 12, 29, 23, 0, tzinfo=UTC)),
    ],
)
def test_an_odd_time_has_one_meaning(modern: Installation, local: str, utc: datetime) -> None:
    modern.datafile(modern.dataset(), createdate=local)
    assert only(modern.catalogue(ZoneInfo("Europe/Berlin"))).created == utc


@pytest.mark.parametrize("moment", ["-infinity", "4000-01-01 BC", "20000-01-01"])
def test_a_time_that_python_does_not_know_stops_nothing(dataverse: Installation, moment: str) -> None:
    dataverse.datafile(dataverse.dataset(), createdate=moment)
    assert only(dataverse.catalogue(ZoneInfo("Pacific/Auckland"))).created.tzinfo is UTC


@pytest.mark.parametrize("form", WITH_ALTERNATIVES)
def test_the_designated_alternative_identifier_names_the_folder(
    shared: Callable[[str], Installation], form: str
) -> None:
    dataverse = shared(form)
    dataset = dataverse.dataset()
    dataverse.datafile(dataset)
    dataverse.alternative(dataset, "1902.1", "older", designated=True)
    dataverse.alternative(dataset, "1902.1", "12345", designated=True)
    dataverse.alternative(dataset, "1902.1", "99999", designated=False)
    file = only(dataverse.catalogue())
    assert file.dataset.storage_path == "1902.1/12345"
    assert file.dataset.persistent_id == f"doi:10.5072/FK2/{dataset}"


def test_an_empty_alternative_identifier_is_no_folder(modern: Installation) -> None:
    dataset = modern.dataset()
    modern.datafile(dataset)
    modern.alternative(dataset, "1902.1", None, designated=True)
    assert "alternative" in only_not_here(modern.catalogue()).message


@pytest.mark.parametrize("form", MODERN)
@pytest.mark.parametrize("authority", ["", None])
def test_a_permalink_may_have_no_authority(
    shared: Callable[[str], Installation], form: str, authority: str | None
) -> None:
    dataverse = shared(form)
    dataverse.datafile(dataverse.dataset(protocol="perma", authority=authority, identifier="PERMA123", separator=""))
    file = only(dataverse.catalogue())
    assert file.dataset.storage_path == "/PERMA123"
    has_separator = form in ("modern", "later")
    assert file.dataset.persistent_id == ("perma:PERMA123" if has_separator else "perma:/PERMA123")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE dvobject SET storageidentifier = 'file://other' WHERE id = {file}",
        "UPDATE dvobject SET identifier = 'ELSEWHERE' WHERE id = {dataset}",
        "UPDATE dvobject SET createdate = createdate + interval '1 second' WHERE id = {file}",
        "UPDATE datafile SET checksumvalue = 'd41d8cd98f00b204e9800998ecf8427e' WHERE id = {file}",
        "UPDATE datafile SET filesize = 4711 WHERE id = {file}",
        "UPDATE filemetadata SET label = 'renamed' WHERE datafile_id = {file}",
        "UPDATE filemetadata SET directorylabel = 'moved' WHERE datafile_id = {file}",
        "INSERT INTO datatable (id, datafile_id, unf) VALUES (1, {file}, 'UNF')",
    ],
)
def test_a_row_that_changes_has_another_mark_and_the_others_keep_theirs(modern: Installation, change: str) -> None:
    dataset, other = modern.dataset(), modern.dataset()
    file, another = modern.datafile(dataset), modern.datafile(other)
    modern.named(file, modern.version(dataset, "RELEASED", 1), "named")
    with modern.catalogue() as catalogue:
        with catalogue.snapshot() as snapshot:
            before = dict(snapshot.marks())
        modern.execute(change.format(file=file, dataset=dataset))
        with catalogue.snapshot() as snapshot:
            after = dict(snapshot.marks())
    assert (after[another], after[file] != before[file]) == (before[another], True)


def test_older_servers_mark_rows_by_functions_that_they_have(modern: Installation) -> None:
    dataset = modern.dataset()
    files = [modern.datafile(dataset) for _ in range(3)]
    with session(modern.address) as connection:
        form = recognise(connection)
        for version in (90_600, 100_000, 110_000, 140_000, connection.info.server_version):
            marks = connection.execute(form.marks(version)).fetchall()
            assert [number for number, _ in marks] == files
            assert len({mark for _, mark in marks}) == len(files)


def test_a_commit_while_streaming_is_not_seen(dataverse: Installation) -> None:
    dataset = dataverse.dataset()
    ids = [dataverse.datafile(dataset) for _ in range(3)]
    catalogue = dataverse.catalogue()
    with closing(catalogue.rows()) as rows:
        first = next(rows)
        dataverse.execute("DELETE FROM datafile WHERE id = %s", [ids[-1]])
        dataverse.datafile(dataset)
        assert [first.id, *(row.id for row in rows)] == ids
    assert len(list(catalogue.rows())) == 4


def test_a_session_can_write_nothing(modern: Installation) -> None:
    modern.datafile(modern.dataset())
    catalogue = modern.catalogue()
    with closing(catalogue.rows()) as rows:
        next(rows)
        (connection,) = catalogue._open
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM datafile")


def test_no_setting_is_left_in_the_session_for_the_next_one_in_a_pool(modern: Installation) -> None:
    settings = "SELECT name, setting FROM pg_settings WHERE name !~ '^(transaction|plpgsql)'"
    with session(modern.address) as connection:
        assert connection.execute("SHOW jit").fetchone() == ("off",)
        connection.rollback()
        after = connection.execute(settings.encode()).fetchall()
    client = {"application_name", "client_encoding"}
    its = modern.address  # by TCP too: the server's keepalives are none of ours
    with psycopg.connect(
        host=its.host, port=its.port, dbname=its.dbname, user=its.user, password=its.password
    ) as other:
        there = other.execute(settings.encode()).fetchall()
    assert {name for name, _ in set(after) ^ set(there)} <= client


def test_no_session_is_left_behind(modern: Installation) -> None:
    number = modern.datafile(modern.dataset())
    catalogue = modern.catalogue()
    rows = catalogue.rows()
    next(rows)
    catalogue.read([number])
    try:
        assert sessions_become(modern, 1)
    finally:
        rows.close()
    assert sessions_become(modern, 0)


def sessions_become(dataverse: Installation, number: int) -> bool:
    """Whether we have so many sessions; the server takes a moment to end one."""
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dataverse-backup' AND datname = %s"
    for _ in range(250):
        if dataverse.connection.execute(ours, [dataverse.database]).fetchone() == (number,):
            return True
        dataverse.execute("SELECT pg_sleep(0.02)")
    return False


def test_memory_does_not_grow_with_the_rows(modern: Installation) -> None:
    dataset = modern.dataset()
    modern.execute(
        """INSERT INTO dvobject (id, dtype, owner_id, storageidentifier, createdate, modificationtime)
        SELECT i, 'DataFile', %s, 'file://18b-' || i, now(), now() FROM generate_series(1001, 21000) AS i""",
        [dataset],
    )
    modern.execute(
        """INSERT INTO datafile (id, checksumtype, checksumvalue, contenttype)
        SELECT i, 'MD5', md5(i::text), 'text/plain' FROM generate_series(1001, 21000) AS i"""
    )
    tracemalloc.start()
    try:
        assert sum(1 for _ in modern.catalogue().rows()) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_text_in_another_encoding_is_told_in_unicode(postgres: PostgresServer) -> None:
    with installed(postgres, "modern", "LATIN1") as dataverse:
        dataverse.datafile(dataverse.dataset(), "file://été")
        assert only(dataverse.catalogue()).storageidentifier == "file://été"


@pytest.mark.parametrize("form", ["modern", "C", "A1"])
def test_bytes_that_are_no_text_keep_their_value(postgres: PostgresServer, form: str) -> None:
    with installed(postgres, form, "SQL_ASCII") as dataverse:
        number = dataverse.datafile(dataverse.dataset(), "file://x")
        column = "datafile SET filesystemname" if form == "A1" else "dvobject SET storageidentifier"
        dataverse.execute(f"UPDATE {column} = E'file://\\xe9t\\xe9' WHERE id = {number}")
        found = only(dataverse.catalogue()).storageidentifier
    assert found.encode("utf-8", "surrogateescape") == b"file://\xe9t\xe9"


def test_a_database_that_is_not_of_dataverse_is_refused(postgres: PostgresServer, postgres_database: str) -> None:
    other = Installation(postgres, postgres_database, "none", postgres.connect(postgres_database))
    with other.connection:
        with pytest.raises(CatalogueError, match="there is no table dvobject") as caught:
            other.catalogue().inspect()
        assert "is [Database] Database the Dataverse database?" in caught.value.hint
        other.execute("CREATE TABLE dvobject (id int); CREATE TABLE datafile (id int)")
        with pytest.raises(CatalogueError, match="of no release of Dataverse"):
            list(other.catalogue().rows())
        other.execute("ALTER TABLE dvobject ADD authority text")
        with pytest.raises(CatalogueError, match="none of the name dataset, datatable"):
            other.catalogue().read([1])


def test_tables_outside_public_are_found_on_the_search_path(postgres: PostgresServer) -> None:
    with installed(postgres, "modern") as dataverse:
        dataverse.datafile(dataverse.dataset())
        dataverse.execute('ALTER SCHEMA public RENAME TO "Data Verse"')
        dataverse.execute(f'ALTER DATABASE {dataverse.database} SET search_path = "Data Verse"')
        assert only(dataverse.catalogue()).size == 5
