"""How requests to S3 are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.services.s3 import S3Access, connected

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

ACCESS = S3Access(endpoint="http://127.0.0.1:9", path_style=True, access_key="key", secret_key="secret")


class Caught(Exception):
    """A request that is not sent; the headers of it."""


def catch(request: AWSPreparedRequest, **_: object) -> None:
    headers: dict[str, str | bytes] = dict(request.headers.items())
    raise Caught({name: text.decode() if isinstance(text, bytes) else text for name, text in headers.items()})


@pytest.mark.parametrize(("size", "is_asked"), [(16_384, False), (1 << 20, True)])
def test_a_small_body_is_sent_without_asking_first(size: int, is_asked: bool) -> None:
    client = connected(ACCESS)
    client.meta.events.register("before-send.s3.PutObject", catch)
    with pytest.raises(Caught) as caught:
        client.put_object(Bucket="bucket", Key="key", Body=bytes(size))
    headers: dict[str, str] = caught.value.args[0]
    assert ("Expect" in headers) == is_asked
    assert headers["User-Agent"].startswith("dataverse-backup/")
