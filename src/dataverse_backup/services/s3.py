"""S3 and what is compatible with it: how it is reached, and what its errors mean. Needs the extra ``s3``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

os.environ["BOTO_DISABLE_CRT"] = "true"  # awscrt, where somebody installed it, changes how requests are signed and sent

import botocore.exceptions as vendor
import urllib3.exceptions
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import get_cert_path
from botocore.session import Session
from botocore.utils import determine_content_length

from dataverse_backup import __version__
from dataverse_backup.errors import ConfigurationError, printable
from dataverse_backup.services.s3_model import LOADER
from dataverse_backup.services.trouble import Diagnosis, Trouble, seconds_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client

CONFIGURED_REGION = "us-east-1"
"""What is signed for at an endpoint of one's own where no region is configured: most services do not look at it."""
_TRIES = 3
"""Of one request, by botocore; whole objects are tried again by whoever copies them."""
_LONGEST_SAYING = 300
WORTH_ASKING = 1 << 20
"""Bytes of a body from which the service is asked first whether it wants them."""


@dataclass(frozen=True, slots=True)
class S3Access:
    """How one S3 service is reached. What is None is found where the AWS tools look for it."""

    endpoint: str | None = None
    """Address of the service, with or without scheme; None: AWS."""
    region: str | None = None
    path_style: bool = False
    """The bucket is in the path, not in the host name."""
    profile: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    """Seconds without a byte after which an answer counts as cut."""
    connections: int = 16
    """How many requests may be under way at once."""

    @property
    def url(self) -> str | None:
        """The endpoint with its scheme; https is meant where there is none, as Dataverse has it (facts 3.2)."""
        return self.endpoint if self.endpoint is None or "://" in self.endpoint else f"https://{self.endpoint}"


def connected(access: S3Access) -> S3Client:
    """A client that several threads may use. Nothing is sent yet. Raises ConfigurationError."""
    try:
        with _making:
            client = _session(access.profile).create_client(
                "s3",
                region_name=access.region or (CONFIGURED_REGION if access.endpoint else None),
                endpoint_url=access.url,
                aws_access_key_id=access.access_key,
                aws_secret_access_key=access.secret_key,
                config=_config(access),
            )
            client.meta.events.register("request-created.s3", _send_at_once)
            return cast("S3Client", client)
    except (vendor.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"S3 cannot be used as configured: {words(error)}", "see `config validate`") from error


def service_of(client: S3Client) -> Hashable:
    """Equal for two clients of one service: host and port, or the partition of AWS: its regions are one."""
    url = urlsplit(client.meta.endpoint_url)
    if f".{url.hostname}".endswith(_OF_AWS):
        return client.meta.partition
    return url.hostname, url.port or PORTS.get(url.scheme)


_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn")
PORTS = {"http": 80, "https": 443}

_making = Lock()
"""Sessions are not for several threads; the clients that they make are."""


@cache
def _session(profile: str | None) -> Session:
    """Kept, for what it has found out about whose requests they are."""
    session = Session(profile=profile)
    if session.get_config_variable("data_path") is None:
        session.register_component("data_loader", LOADER)
    return session


def credentials_of(access: S3Access) -> Credentials | None:
    """Whose requests those of a client are that was made for *access*. May ask a machine for them, as botocore does."""
    if access.access_key is not None and access.secret_key is not None:
        return Credentials(access.access_key, access.secret_key)
    with _making:
        return _session(access.profile).get_credentials()


def authorities_of(access: S3Access) -> str | None:
    """The file of those who may vouch for a service, as a client looks for it that was made for *access*."""
    with _making:
        configured: str | None = _session(access.profile).get_config_variable("ca_bundle")
    return configured or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(verify=True)


def _config(access: S3Access) -> Config:
    return Config(
        s3={"addressing_style": "path" if access.path_style else "auto", "payload_signing_enabled": False},
        # "when_supported", the default, sends trailers that older services refuse or store as part of the object.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=access.connect_timeout,
        read_timeout=access.read_timeout,
        max_pool_connections=access.connections,
        proxies={"http": access.proxy, "https": access.proxy} if access.proxy else None,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        # Both cost more than signing, for each request: every request is ours, and botocore's own word for who we are
        # is put together anew each time.
        parameter_validation=False,
        user_agent=f"dataverse-backup/{__version__}",
    )


def _send_at_once(request: AWSRequest, **_: object) -> None:
    """Do not ask first whether a small body is wanted (Expect): the question takes as long as the body itself."""
    length = determine_content_length(request.data) if request.data else 0
    if length is not None and length < WORTH_ASKING:
        del request.headers["Expect"]


_KINDS: dict[type[Exception], Trouble] = {
    OSError: Trouble.UNAVAILABLE,
    urllib3.exceptions.HTTPError: Trouble.UNAVAILABLE,
    vendor.ConnectionError: Trouble.UNAVAILABLE,
    vendor.HTTPClientError: Trouble.UNAVAILABLE,
    vendor.IncompleteReadError: Trouble.UNAVAILABLE,
    vendor.CapacityNotAvailableError: Trouble.THROTTLED,
    vendor.ChecksumError: Trouble.BAD_DIGEST,
    vendor.FlexibleChecksumError: Trouble.BAD_DIGEST,
    vendor.NoCredentialsError: Trouble.LOGIN_REFUSED,
    vendor.PartialCredentialsError: Trouble.LOGIN_REFUSED,
    vendor.CredentialRetrievalError: Trouble.LOGIN_REFUSED,
    vendor.UnknownCredentialError: Trouble.LOGIN_REFUSED,
    vendor.NoAuthTokenError: Trouble.LOGIN_REFUSED,
    vendor.TokenRetrievalError: Trouble.LOGIN_REFUSED,
    vendor.MetadataRetrievalError: Trouble.LOGIN_REFUSED,
    vendor.RefreshWithMFAUnsupportedError: Trouble.LOGIN_REFUSED,
    vendor.SSOError: Trouble.LOGIN_REFUSED,
    vendor.LoginError: Trouble.LOGIN_REFUSED,
    vendor.BotoCoreError: Trouble.MISCONFIGURED,  # the rest: regions, proxies, endpoints, names that cannot be
    vendor.ParamValidationError: Trouble.BAD_NAME,
}
"""What each kind of exception means, the nearest class above deciding; answers of the service have codes."""

_CODES: dict[str, Trouble] = {
    "NoSuchKey": Trouble.MISSING,
    "NoSuchVersion": Trouble.MISSING,
    "PreconditionFailed": Trouble.OCCUPIED,
    "AccessDenied": Trouble.REFUSED,
    "AllAccessDisabled": Trouble.REFUSED,
    "ObjectLocked": Trouble.REFUSED,
    "InvalidAccessKeyId": Trouble.LOGIN_REFUSED,
    "SignatureDoesNotMatch": Trouble.LOGIN_REFUSED,
    "InvalidToken": Trouble.LOGIN_REFUSED,
    "ExpiredToken": Trouble.LOGIN_REFUSED,
    "TokenRefreshRequired": Trouble.LOGIN_REFUSED,
    "RequestTimeTooSkewed": Trouble.LOGIN_REFUSED,
    "AccountProblem": Trouble.LOGIN_REFUSED,
    "NotSignedUp": Trouble.LOGIN_REFUSED,
    "NoSuchBucket": Trouble.MISCONFIGURED,
    "InvalidBucketName": Trouble.MISCONFIGURED,
    "PermanentRedirect": Trouble.MISCONFIGURED,
    "TemporaryRedirect": Trouble.UNAVAILABLE,
    "AuthorizationHeaderMalformed": Trouble.MISCONFIGURED,
    "IllegalLocationConstraintException": Trouble.MISCONFIGURED,
    "InvalidStorageClass": Trouble.MISCONFIGURED,
    "KMS.DisabledException": Trouble.MISCONFIGURED,
    "KMS.NotFoundException": Trouble.MISCONFIGURED,
    "InternalError": Trouble.UNAVAILABLE,
    "RequestTimeout": Trouble.UNAVAILABLE,
    "IncompleteBody": Trouble.UNAVAILABLE,
    "OperationAborted": Trouble.UNAVAILABLE,
    "ConditionalRequestConflict": Trouble.UNAVAILABLE,
    "NoSuchUpload": Trouble.UNAVAILABLE,  # what was uploaded is gone, or was completed by a try whose answer was lost
    "ServiceUnavailable": Trouble.THROTTLED,
    "SlowDown": Trouble.THROTTLED,
    "Throttling": Trouble.THROTTLED,
    "ThrottlingException": Trouble.THROTTLED,
    "TooManyRequests": Trouble.THROTTLED,
    "TooManyRequestsException": Trouble.THROTTLED,
    "RequestLimitExceeded": Trouble.THROTTLED,
    "QuotaExceeded": Trouble.NO_SPACE,
    "EntityTooLarge": Trouble.NO_SPACE,
    "InsufficientStorage": Trouble.NO_SPACE,
    "XMinioStorageFull": Trouble.NO_SPACE,
    "XMinioAdminBucketQuotaExceeded": Trouble.NO_SPACE,
    "InvalidObjectState": Trouble.ARCHIVED,
    "BadDigest": Trouble.BAD_DIGEST,
    "InvalidDigest": Trouble.BAD_DIGEST,
    "XAmzContentSHA256Mismatch": Trouble.BAD_DIGEST,
    "XAmzContentChecksumMismatch": Trouble.BAD_DIGEST,
    "KeyTooLongError": Trouble.BAD_NAME,
    "InvalidURI": Trouble.BAD_NAME,
    "XMinioInvalidObjectName": Trouble.BAD_NAME,
    "NotImplemented": Trouble.NOT_OFFERED,
}
"""What the error codes of S3, and of those who speak like it, mean."""

_STATUSES: dict[int, Trouble] = {
    301: Trouble.MISCONFIGURED,
    401: Trouble.LOGIN_REFUSED,
    403: Trouble.REFUSED,
    404: Trouble.MISSING,
    408: Trouble.UNAVAILABLE,
    409: Trouble.UNAVAILABLE,
    412: Trouble.OCCUPIED,
    413: Trouble.NO_SPACE,
    429: Trouble.THROTTLED,
    500: Trouble.UNAVAILABLE,
    501: Trouble.NOT_OFFERED,
    502: Trouble.UNAVAILABLE,
    503: Trouble.THROTTLED,
    504: Trouble.UNAVAILABLE,
    507: Trouble.NO_SPACE,
}
"""What a status means where the code is unknown: answers to HEAD have no code."""

_HINTS: dict[Trouble, str] = {
    Trouble.LOGIN_REFUSED: "are access key and secret key (or the profile) right and not expired, and is the clock?",
    Trouble.MISCONFIGURED: "are the bucket's name, endpoint and region right?",
    Trouble.REFUSED: "do the policies of the user and of the bucket allow it?",
    Trouble.UNAVAILABLE: "is the endpoint right, and does it answer from here?",
    Trouble.ARCHIVED: "restore the object from cold storage (S3 RestoreObject), then run again",
    Trouble.NO_SPACE: "raise the quota, or make room",
}

VENDOR_ERRORS: tuple[type[Exception], ...] = (vendor.ClientError, *_KINDS)
"""Everything that a call of boto3, or reading its streams, may raise; anything else is a mistake of ours."""


def diagnosis(error: Exception) -> Diagnosis:
    """What one of VENDOR_ERRORS means."""
    if isinstance(error, vendor.ClientError):
        return _answered(error)
    trouble = next((_KINDS[kind] for kind in type(error).__mro__ if kind in _KINDS), Trouble.OTHER)
    return Diagnosis(trouble, words(error), _HINTS.get(trouble, ""))


def _answered(error: vendor.ClientError) -> Diagnosis:
    answer = error.response.get("Error", {})
    code, metadata = str(answer.get("Code", "")), error.response.get("ResponseMetadata", {})
    trouble = _CODES.get(code) or _STATUSES.get(metadata.get("HTTPStatusCode", 0), Trouble.OTHER)
    headers: Mapping[str, str] = metadata.get("HTTPHeaders", {})
    region = str(answer.get("Region") or headers.get("x-amz-bucket-region") or "")
    hint = _HINTS.get(trouble, "")
    if region and trouble is Trouble.MISCONFIGURED:
        hint = f"the bucket is in the region {printable(region)}: configure that one"
    said = _short(f"{code} {answer.get('Message', '')}")
    return Diagnosis(trouble, f"the service answered {said}", hint, seconds_of(headers.get("retry-after")))


def words(error: Exception) -> str:
    """What *error* says, in one line."""
    return _short(str(error)) or type(error).__name__


def _short(text: str) -> str:
    return printable(" ".join(text.split()))[:_LONGEST_SAYING]
