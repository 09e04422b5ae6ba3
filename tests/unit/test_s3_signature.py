"""Our signatures are those of botocore."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.services import s3_signature
from dataverse_backup.services.s3_signature import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)
HOST = "bucket.s3.example.org:9000"
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda key: key[0] != "/")
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-md5", "if-none-match", "x-amz-storage-class", "user-agent", "x-amzn-trace-id", "x-amz-a"]
    ),
    st.lists(WORDS, min_size=1, max_size=3).map("  ".join),
)


@pytest.fixture(autouse=True, scope="module")
def _clock() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
        patch.setattr(s3_signature, "time", NOW.timestamp)
        yield


@given(key=KEYS, headers=HEADERS, secret=WORDS, token=st.none() | WORDS, region=st.sampled_from(["us-east-1", "eu-1"]))
def test_a_signature_is_botocores(
    key: str, headers: dict[str, str], secret: str, token: str | None, region: str
) -> None:
    credentials = Credentials("AKEY", secret, token).get_frozen_credentials()
    path = f"/{percent_encode(key, safe='-._~/')}"
    its = AWSRequest("PUT", f"https://{HOST}{path}", headers, b"data")
    its.context["client_config"] = SimpleNamespace(s3={"payload_signing_enabled": False})
    S3SigV4Auth(credentials, "s3", region).add_auth(its)
    ours = signed("PUT", path, {**headers, "host": HOST}, credentials, region)
    assert ours == {name.lower(): value for name, value in its.headers.items()} | {"host": HOST}
