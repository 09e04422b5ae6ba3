"""What tests need of an S3 service, whichever it is."""

from __future__ import annotations

import time
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dataverse_backup.services.s3 import S3Access, connected

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.servers.swift import SwiftServer

_PATIENCE = 20.0


class S3Service:
    """One service that is running."""

    access_key: str
    secret_key: str
    """Of somebody who may do everything."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.names: list[str] = []
        """Every name that ``new_name`` gave."""

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        raise NotImplementedError

    def access(self, **other: Any) -> S3Access:
        """How to reach it with every right; *other* fields replace those of the S3Access."""
        fields: dict[str, Any] = {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "path_style": True,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "connect_timeout": 5.0,
            "read_timeout": 20.0,
        }
        return S3Access(**(fields | other))

    def client(self) -> S3Client:
        """A client with every right, to look behind the curtain."""
        return connected(self.access())

    @cached_property
    def shared_client(self) -> S3Client:
        """A client for whoever wants one: making one takes a tenth of a second."""
        return self.client()

    @cached_property
    def shared_bucket(self) -> str:
        """A bucket for whoever keeps to a prefix that ``new_name`` gave."""
        return self.make_bucket()

    def new_name(self) -> str:
        """A name that nobody else has."""
        self.names.append(f"n{next(self._numbers)}")
        return self.names[-1]

    def make_bucket(self, **options: Any) -> str:
        """A new empty bucket; takes a second."""
        name = f"bucket-{next(self._numbers)}"
        self.shared_client.create_bucket(Bucket=name, **options)
        if not options:
            self._wait_until_it_stores(name)
        return name

    def _wait_until_it_stores(self, bucket: str) -> None:
        """SeaweedFS makes room for a bucket with its first object, and for a moment that can be an internal error."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.shared_client.put_object(Bucket=bucket, Key="first", Body=b"first")
                self.shared_client.delete_object(Bucket=bucket, Key="first")
            except ClientError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return


class SwiftS3(S3Service):
    """What Swift makes of S3: stricter than others, without checksums, and without If-Match."""

    access_key, secret_key = "test:tester", "testing"

    def __init__(self, server: SwiftServer) -> None:
        """Speak S3 to *server*."""
        super().__init__()
        self._server = server

    @property
    def endpoint(self) -> str:
        return self._server.url
