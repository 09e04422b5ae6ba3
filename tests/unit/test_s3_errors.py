"""Every error of botocore, and every answer of S3, has a meaning of ours."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import botocore.exceptions as vendor
import pytest
import urllib3.exceptions
from botocore.exceptions import ClientError

from dataverse_backup.errors import (
    ConfigurationError,
    CopyError,
    CopyFailed,
    CopyMissing,
    CopyRefused,
    DestinationLost,
    DestinationRefused,
    KeyOccupied,
    NoSpace,
    SourceArchived,
    SourceChanged,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    StoreLost,
    Unavailable,
)
from dataverse_backup.services.copy_errors import copy_error, destination_lost
from dataverse_backup.services.s3 import VENDOR_ERRORS, S3Access, connected, diagnosis, service_of
from dataverse_backup.services.trouble import Trouble
from dataverse_backup.stores.service_errors import source_error

if TYPE_CHECKING:
    from collections.abc import Hashable

OF_OUR_OWN_MAKING = {
    "UndefinedModelAttributeError",
    "MissingServiceIdError",
    "UnsupportedTLSVersionWarning",
    "ImminentRemovalWarning",  # botocore's own mistakes and warnings: nothing that a call raises
}
ABOUT_CONFIGURATION = {
    "ApiVersionNotFoundError",
    "AwsChunkedWrapperError",
    "BaseEndpointResolverError",
    "ConfigNotFound",
    "ConfigParseError",
    "DataNotFoundError",
    "EndpointProviderError",
    "InvalidChecksumConfigError",
    "InvalidConfigError",
    "InvalidDNSNameError",
    "InvalidDefaultsMode",
    "InvalidEndpointConfigurationError",
    "InvalidEndpointDiscoveryConfigurationError",
    "InvalidExpressionError",
    "InvalidHostLabelError",
    "InvalidIMDSEndpointError",
    "InvalidIMDSEndpointModeError",
    "InvalidProxiesConfigError",
    "InvalidRetryConfigurationError",
    "InvalidS3AddressingStyleError",
    "InvalidS3UsEast1RegionalEndpointConfigError",
    "InvalidSTSRegionalEndpointsConfigError",
    "MD5UnavailableError",
    "MissingDependencyException",
    "MissingParametersError",
    "OperationNotPageableError",
    "PaginationError",
    "ProfileNotFound",
    "ServiceNotInRegionError",
    "StubResponseError",
    "UnknownClientMethodError",
    "UnknownRegionError",
    "UnknownServiceStyle",
    "UnknownSignatureVersionError",
    "UnknownTokenProviderError",
    "UnseekableStreamError",
    "UnsupportedOutpostResourceError",
    "UnsupportedS3AccesspointConfigurationError",
    "UnsupportedS3ArnError",
    "UnsupportedS3ConfigurationError",
    "UnsupportedS3ControlArnError",
    "UnsupportedS3ControlConfigurationError",
    "UnsupportedServiceProtocolsError",
    "UnsupportedSignatureVersionError",
    "ValidationError",
    "WaiterConfigError",
    "WaiterError",
}
"""What nothing but another configuration, or another program, would change."""


def exported() -> list[type[Exception]]:
    found = (kind for kind in vars(vendor).values() if inspect.isclass(kind) and kind.__module__ == vendor.__name__)
    return [kind for kind in found if issubclass(kind, Exception) and kind.__name__ not in OF_OUR_OWN_MAKING]


def raised(kind: type[Exception]) -> Exception:
    """One of *kind*, whatever it wants to be made of."""
    error = kind.__new__(kind)
    Exception.__init__(error, "as planned")
    return error


def answer(status: int, code: str = "", **error: str) -> ClientError:
    response: Any = {
        "Error": {"Code": code or str(status), "Message": "as planned", **error},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    return ClientError(response, "PutObject")


@pytest.mark.parametrize("kind", exported(), ids=lambda kind: kind.__name__)
def test_every_error_that_botocore_has_is_translated(kind: type[Exception]) -> None:
    assert issubclass(kind, VENDOR_ERRORS)
    if issubclass(kind, ClientError):
        return  # told by its code
    is_about_configuration = not ABOUT_CONFIGURATION.isdisjoint(above.__name__ for above in kind.__mro__)
    is_the_rest = diagnosis(raised(kind)).trouble is Trouble.MISCONFIGURED
    assert is_the_rest == (is_about_configuration or kind is vendor.BotoCoreError)


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        (vendor.EndpointConnectionError, Trouble.UNAVAILABLE),
        (vendor.ConnectTimeoutError, Trouble.UNAVAILABLE),
        (vendor.ReadTimeoutError, Trouble.UNAVAILABLE),
        (vendor.ResponseStreamingError, Trouble.UNAVAILABLE),
        (vendor.SSLError, Trouble.UNAVAILABLE),
        (vendor.ProxyConnectionError, Trouble.UNAVAILABLE),
        (vendor.IncompleteReadError, Trouble.UNAVAILABLE),
        (urllib3.exceptions.ProtocolError, Trouble.UNAVAILABLE),
        (ConnectionResetError, Trouble.UNAVAILABLE),
        (vendor.NoCredentialsError, Trouble.LOGIN_REFUSED),
        (vendor.UnauthorizedSSOTokenError, Trouble.LOGIN_REFUSED),
        (vendor.InfiniteLoopConfigError, Trouble.MISCONFIGURED),
        (vendor.NoRegionError, Trouble.MISCONFIGURED),
        (vendor.ParamValidationError, Trouble.BAD_NAME),
    ],
)
def test_an_error_that_is_no_answer_is_told_by_its_kind(kind: type[Exception], trouble: Trouble) -> None:
    assert diagnosis(raised(kind)).trouble is trouble


@pytest.mark.parametrize(
    ("error", "of_the_store", "of_the_destination"),
    [
        (answer(404, "NoSuchKey"), SourceMissing, CopyMissing),
        (answer(404), SourceMissing, CopyMissing),
        (answer(403), SourceRefused, CopyRefused),
        (answer(403, "AccessDenied"), SourceRefused, CopyRefused),
        (answer(403, "InvalidObjectState"), SourceArchived, CopyRefused),
        (answer(412), SourceChanged, KeyOccupied),
        (answer(503, "SlowDown"), SourceUnavailable, Unavailable),
        (answer(500), SourceUnavailable, Unavailable),
        (answer(404, "NoSuchBucket"), StoreLost, Unavailable),
        (answer(403, "SignatureDoesNotMatch"), StoreLost, Unavailable),
        (answer(400, "ExpiredToken"), StoreLost, Unavailable),
        (answer(507), SourceUnreadable, NoSpace),
        (answer(403, "QuotaExceeded"), SourceUnreadable, NoSpace),
        (answer(418, "Teapot"), SourceUnreadable, CopyFailed),
    ],
    ids=lambda value: value.response["Error"]["Code"] if isinstance(value, ClientError) else value.__name__,
)
def test_an_answer_becomes_the_error_of_the_object(
    error: ClientError, of_the_store: type[Exception], of_the_destination: type[CopyError]
) -> None:
    found = diagnosis(error)
    assert type(source_error("s3", "a/b", found)) is of_the_store
    ours = copy_error("offsite", "a/b", found)
    assert type(ours) is of_the_destination
    assert str(ours).startswith("offsite: a/b: the service answered ")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer(403, "InvalidAccessKeyId"), DestinationRefused),
        (answer(403), DestinationRefused),
        (answer(404, "NoSuchBucket"), DestinationLost),
        (answer(503), DestinationLost),
    ],
)
def test_waiting_mends_no_refusal_of_a_whole_destination(error: ClientError, kind: type[Exception]) -> None:
    assert type(destination_lost("offsite", diagnosis(error))) is kind


def test_the_region_of_a_bucket_is_the_hint() -> None:
    assert "eu-south-9" in diagnosis(answer(400, "AuthorizationHeaderMalformed", Region="eu-south-9")).hint
    elsewhere = answer(301)
    elsewhere.response["ResponseMetadata"]["HTTPHeaders"] = {"x-amz-bucket-region": "eu-south-9"}
    assert "eu-south-9" in diagnosis(elsewhere).hint
    assert "eu-south-9" not in diagnosis(answer(403, "AccessDenied", Region="eu-south-9")).hint


def test_what_a_service_says_is_short_and_printable() -> None:
    hostile = answer(418, "\x1b[31m")
    hostile.response["Error"]["Message"] = "line\nbreak\x00" + "x" * 5000
    said = diagnosis(hostile).said
    assert said.isprintable()
    assert len(said) < 400


def test_a_profile_that_does_not_exist_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="no-such-profile"):
        connected(S3Access(profile="no-such-profile"))


@pytest.mark.parametrize(
    ("endpoint", "url"), [(None, None), ("s3.example.edu", "https://s3.example.edu"), ("http://h:1", "http://h:1")]
)
def test_an_endpoint_without_a_scheme_is_asked_by_https(endpoint: str | None, url: str | None) -> None:
    assert S3Access(endpoint=endpoint).url == url


SERVICES: list[list[dict[str, Any]]] = [
    [{"region": "eu-west-1"}, {"region": "us-east-2"}, {"endpoint": "https://s3.dualstack.eu-west-1.amazonaws.com"}],
    [{"region": "cn-north-1"}, {"region": "cn-northwest-1"}],
    [{"region": "us-gov-west-1"}],
    [{"endpoint": "s3.example.edu"}, {"endpoint": "https://S3.example.edu:443/"}],
    [{"endpoint": "http://s3.example.edu"}, {"endpoint": "http://s3.example.edu:80", "region": "here"}],
    [{"endpoint": "https://s3.example.edu:9000"}],
    [{"endpoint": "https://amazonaws.com.example.edu"}],
    [{"endpoint": "https://notamazonaws.com"}],
]
"""Ways to services, each time all to one."""


def test_two_ways_to_one_service_are_equal_and_no_others_are() -> None:
    found = [{_service(way) for way in ways} for ways in SERVICES]
    assert [len(services) for services in found] == [1] * len(SERVICES)
    assert len(set.union(*found)) == len(SERVICES)


def _service(way: dict[str, Any]) -> Hashable:
    client = connected(S3Access(access_key="key", secret_key="secret", **way))
    try:
        return service_of(client)
    finally:
        client.close()
