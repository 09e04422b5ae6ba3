"""What rows of the Dataverse database mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.catalogue.rows import Record, interpret
from dataverse_backup.datafile import LONGEST_TAG, Datafile, Kind, NotHere, fingerprint
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import Algorithm, Checksum

TEXT = st.none() | st.text(alphabet=st.characters(exclude_characters="\0"))
IDENTIFIERS = TEXT | st.builds("{}://{}".format, st.sampled_from(["file", "s3", "tmp", ""]), st.text() | st.just("b:"))
RECORDS = st.builds(
    Record,
    id=st.integers(min_value=1),
    has_datafile=st.booleans(),
    owner_id=st.none() | st.integers(),
    has_dataset=st.booleans(),
    protocol=TEXT,
    authority=TEXT,
    separator=TEXT,
    identifier=TEXT,
    storage_authority=TEXT,
    storage_identifier=TEXT,
    storageidentifier=IDENTIFIERS,
    size=st.none() | st.integers(),
    checksum_type=TEXT | st.sampled_from(["MD5", "SHA1"]),
    checksum_value=TEXT,
    is_tabular=st.booleans(),
    content_type=TEXT,
    created=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 -- local times without a zone
    label=TEXT,
    directory_label=TEXT,
    original_name=TEXT,
    original_format=TEXT | st.sampled_from(["text/csv", "application/x-spss-sav"]),
    ingest=TEXT,
    provenance=TEXT,
    auxiliary=st.none() | st.lists(st.tuples(TEXT, TEXT, st.none() | st.integers(), TEXT, TEXT)).map(json.dumps),
)
ZONES = st.sampled_from([ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Kiritimati")])


@given(RECORDS, ZONES)
def test_every_row_is_a_datafile_or_says_why_not(record: Record, zone: ZoneInfo) -> None:
    row = interpret(record, zone, "file")
    assert row.id == record.id
    assert row.storageidentifier == (record.storageidentifier or "")
    assert row.created is not None
    assert row.created.tzinfo is UTC
    if isinstance(row, NotHere):
        assert row.reason in (Reason.NO_DATASET, Reason.NO_IDENTIFIER, Reason.PREFIX_ONLY, Reason.TEMPORARY)
        assert row.message.isprintable()


@given(RECORDS, ZONES)
def test_a_datafile_always_has_a_store_a_dataset_and_a_name(record: Record, zone: ZoneInfo) -> None:
    row = interpret(record, zone, "standard")
    if isinstance(row, Datafile):
        assert row.location
        assert row.store_id
        assert row.dataset.identifier
        assert row.dataset.persistent_id
        assert row.size is None or row.size >= 0


@given(RECORDS)
def test_every_companion_of_a_datafile_has_a_tag_and_a_name_of_its_own(record: Record) -> None:
    row = interpret(record, ZoneInfo("UTC"), "file")
    if isinstance(row, Datafile):
        assert len({one.tag for one in row.companions}) == len(row.companions)
        assert len({one.place for one in (row, *row.companions)}) == len(row.companions) + 1
        for one in row.companions:
            assert one.is_companion
            assert 0 < len(one.tag) <= LONGEST_TAG
            assert (one.id, one.dataset, one.store_id) == (row.id, row.dataset, row.store_id)
            assert one.storageidentifier.startswith(row.storageidentifier)
            assert not one.companions
            assert row.object_of(one.tag) is one


def test_what_is_not_wanted_beside_a_datafile_is_not_there() -> None:
    row = _interpreted(ingest="row 1", provenance="data", auxiliary='[["dpJson", "v1", 3, null, null]]')
    assert [one.tag for one in row.companions] == ["aux:dpJson_v1", "prov", "tab"]
    assert not _interpreted(ingest="row 1", provenance="data", kinds=(Kind.AUXILIARY,)).companions


def test_two_auxiliary_files_of_one_name_are_one_object_as_the_last_one_describes_it() -> None:
    row = _interpreted(auxiliary='[["a", "1", 3, null, null], ["a", "1", 5, null, "text/plain"]]')
    assert [(one.tag, one.size, one.content_type) for one in row.companions] == [("aux:a_1", 5, "text/plain")]


def test_the_algorithm_of_an_auxiliary_files_checksum_is_told_by_its_length() -> None:
    lengths = {32: Algorithm.MD5, 40: Algorithm.SHA1, 64: Algorithm.SHA256, 128: Algorithm.SHA512}
    for length, algorithm in lengths.items():
        row = _interpreted(auxiliary=json.dumps([["a", "1", 3, "a" * length, None]]))
        assert row.companions[0].checksum == Checksum(algorithm, "a" * length)
    assert _interpreted(auxiliary='[["a", "1", 3, "abc", null]]').companions[0].checksum is None


def test_another_ingest_makes_another_row_and_another_companion() -> None:
    before, after = _interpreted(ingest="row 1, UNF:6:a"), _interpreted(ingest="row 2, UNF:6:b")
    assert fingerprint(before) != fingerprint(after)
    assert fingerprint(before.companions[0]) != fingerprint(after.companions[0])


def _interpreted(*, kinds: tuple[Kind, ...] = tuple(Kind), **known: str) -> Datafile:
    record = Record(
        id=1,
        has_datafile=True,
        owner_id=2,
        has_dataset=True,
        protocol="doi",
        authority="10.5072",
        separator="/",
        identifier="FK2/A",
        storage_authority="10.5072",
        storage_identifier="FK2/A",
        storageidentifier="file://18b",
        size=5,
        checksum_type="MD5",
        checksum_value="a" * 32,
        is_tabular="ingest" in known,
        content_type="text/tab-separated-values",
        created=datetime(2019, 7, 1),  # noqa: DTZ001 -- local times without a zone
        label="a.tab",
        directory_label=None,
        original_name="a.sav",
        original_format=None,
        **{"ingest": None, "provenance": None, "auxiliary": None} | known,
    )
    row = interpret(record, ZoneInfo("UTC"), "file", kinds)
    assert isinstance(row, Datafile)
    return row
