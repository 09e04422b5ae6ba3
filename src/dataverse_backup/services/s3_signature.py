"""Signatures of requests to S3 whose bodies are not signed.

AWS Signature Version 4, as "Authenticating Requests: Using the Authorization Header" in the reference of S3 has it.
botocore makes the same; with the headers of a request known it takes a fifth of the time.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.auth import SIGNED_HEADERS_BLACKLIST, UNSIGNED_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import ReadOnlyCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed(
    method: str, path: str, headers: Mapping[str, str], credentials: ReadOnlyCredentials, region: str
) -> dict[str, str]:
    """The *headers*, whose names are in lower case and have ``host`` among them, and those that prove whose they are.

    *path* is percent-encoded, and there is no query.
    """
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    told = {**headers, "x-amz-content-sha256": UNSIGNED_PAYLOAD, "x-amz-date": time}
    if credentials.token:
        told["x-amz-security-token"] = credentials.token
    names = sorted(told.keys() - SIGNED_HEADERS_BLACKLIST)
    lines = (f"{name}:{' '.join(told[name].split())}\n" for name in names)
    canonical = f"{method}\n{path}\n\n{''.join(lines)}\n{';'.join(names)}\n{UNSIGNED_PAYLOAD}"
    scope = f"{time[:8]}/{region}/s3/aws4_request"
    text = f"{_ALGORITHM}\n{time}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    told["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={key.hex()}"
    )
    return told
