"""What rows of the Dataverse database mean."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.catalogue.rows import Record, interpret
from dataverse_backup.datafile import Datafile, NotHere
from dataverse_backup.errors import Reason

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
