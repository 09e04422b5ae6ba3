"""When something is tried again: not by all at the same moment, and not before a service wants to be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore.exceptions import ClientError
from swiftclient.exceptions import ClientException

from dataverse_backup import pause
from dataverse_backup.errors import SourceUnavailable, Unavailable
from dataverse_backup.services import s3, swift
from dataverse_backup.services.copy_errors import copy_error
from dataverse_backup.services.trouble import seconds_of
from dataverse_backup.stores.service_errors import source_error


def test_a_pause_is_about_as_long_as_it_should_be_and_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    for _ in range(100):
        pause.pause(10.0)
    assert min(slept) >= 5.0
    assert max(slept) <= 15.0
    assert len(set(slept)) > 90


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("7", 7), ("-3", 0), ("soon", 0), ("1e9", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_is_a_number_of_seconds_or_nothing(header: str | None, seconds: float) -> None:
    assert seconds_of(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < seconds_of(date) <= 90


def test_what_s3_asks_for_comes_with_the_error() -> None:
    answer = {
        "Error": {"Code": "SlowDown", "Message": "Please reduce your request rate."},
        "ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "12"}},
    }
    found = s3.diagnosis(ClientError(answer, "PutObject"))  # type: ignore[arg-type]
    error = copy_error("there", "key", found)
    assert isinstance(error, Unavailable)
    assert error.retry_after == 12


def test_what_swift_asks_for_comes_with_the_error() -> None:
    asked = ClientException("", http_status=429, http_reason="Too Many", http_response_headers={"retry-after": "5"})
    error = source_error("there", "key", swift.diagnose(asked))
    assert isinstance(error, SourceUnavailable)
    assert error.retry_after == 5
    assert swift.diagnose(ClientException("", http_status=503)).retry_after == 0
