"""Copies to a bucket of an S3 service."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

from benchmarks.contender import Contender, Run, by_all, copies_among
from benchmarks.link import Link
from benchmarks.ours import ours
from benchmarks.rclone import rclone_copy
from tests.servers.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedfsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.measuring import Command

SERVICE = "registered checksum = what was read = what the service says it stored"
READ_BACK = "registered checksum = what was read = what is stored, read again"
RCLONE = "what was read = what the service says it stored (files in parts: each part, as it is sent)"

TUNED = ("--transfers", "32", "--checkers", "32", "--fast-list", "--s3-no-check-bucket")


class ToS3:
    """A SeaweedFS, a new one for each run."""

    name = "s3"

    def __init__(self, round_trip: float, settings: Sequence[str]) -> None:
        """So many milliseconds away; *settings* are lines of our [Backup]."""
        self._round_trip, self._settings = round_trip, settings
        self._server: SeaweedfsServer | None = None
        self._endpoint = ""
        self._bucket = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextmanager
    def ready(self, run: Run) -> Iterator[None]:
        """A service with one empty bucket; it keeps everything in memory where there is a disk for that."""
        del run
        with ExitStack() as stack:
            self._server = stack.enter_context(SeaweedfsServer())
            link = stack.enter_context(Link(self._server.port, self._round_trip))
            self._endpoint = f"http://127.0.0.1:{link.port}"
            self._bucket = self._server.make_bucket()
            yield

    def stored(self, run: Run) -> tuple[int, int]:
        """What lies in the bucket, without what is our own."""
        del run
        assert self._server is not None
        pages = self._server.shared_client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        return copies_among((one["Key"], one["Size"]) for page in pages for one in page.get("Contents", ()))

    def contenders(self) -> list[Contender]:
        """Everybody who can copy to S3."""
        return [
            ours("ours", SERVICE, partial(self._our_destination, "service"), self._settings),
            ours("ours-read-back", READ_BACK, partial(self._our_destination, "read-back"), self._settings),
            Contender("rclone", RCLONE, self._rclone(), "rclone", reading=by_all),
            Contender("rclone-32", RCLONE, self._rclone(*TUNED), "rclone", reading=by_all),
        ]

    def _our_destination(self, verify: str, _run: Run) -> list[str]:
        return [
            "StorageType: s3",
            f"S3Endpoint: {self._endpoint}",
            f"S3Bucket: {self._bucket}",
            f"S3AccessKey: {ACCESS_KEY}",
            f"S3SecretKey: {SECRET_KEY}",
            f"Verify: {verify}",
        ]

    def _rclone(self, *options: str) -> Callable[[Run], Command]:
        def command(run: Run) -> Command:
            remote = {
                "TYPE": "s3",
                "PROVIDER": "SeaweedFS",
                "ENDPOINT": self._endpoint,
                "ACCESS_KEY_ID": ACCESS_KEY,
                "SECRET_ACCESS_KEY": SECRET_KEY,
            }
            return rclone_copy(run, remote, self._bucket, options)

        return command
