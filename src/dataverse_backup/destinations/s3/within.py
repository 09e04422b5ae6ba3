"""What lies in the same service already is copied there: its bytes do not travel through us to be written."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dataverse_backup.errors import CopyDiffers, CopyError, CopyMissing, KeyOccupied, KeyRefused, Unavailable
from dataverse_backup.logs import facts
from dataverse_backup.services.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.destinations.s3.bucket import Bucket
    from dataverse_backup.destinations.s3.objects import Part, Span, Stored
    from dataverse_backup.fixity import ByteStream
    from dataverse_backup.services.origin import Origin

Made = TypeVar("Made")

log = logging.getLogger(__name__)

_LIKE_AN_UPLOAD = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}
"""Nothing comes along but the bytes: a rule about Dataverse's tags must not reach the copies."""

_PASSING = (KeyOccupied, KeyRefused, CopyMissing, Unavailable)
"""It may be about this object or this moment, and says little about copying."""

_PATIENCE = 3
"""How many of those in succession say enough."""


class Within:
    """Lets the service copy what it has itself, and sends what it has not. Several threads may use it.

    Whatever goes wrong with a copy, the bytes that were read are sent instead. Where that goes well it is the copying
    that fails: what lies in that bucket is sent from then on, and the log says so once.
    """

    def __init__(self, bucket: Bucket, *, is_wanted: bool) -> None:
        """Copy into *bucket*, if that *is_wanted*."""
        self._bucket, self._is_wanted = bucket, is_wanted
        self._given_up: set[str] = set()
        self._copied_from: set[str] = set()
        self._failures = 0
        self._takes_conditions = True

    def origin(self, stream: ByteStream) -> Origin | None:
        """Where the service has what *stream* reads; None where it must be sent."""
        origin = origin_of(stream) if self._is_wanted else None
        return origin if origin and origin.service == self._bucket.service and self.copies(origin) else None

    def copies(self, origin: Origin) -> bool:
        """Whether the service copies what lies in the bucket of *origin*, as far as it has shown."""
        return origin.container not in self._given_up

    def _has_copied(self, origin: Origin) -> None:
        self._failures = 0
        if origin.container not in self._copied_from:
            self._copied_from.add(origin.container)
            said = f"files of the bucket {origin.container} are copied by the service itself"
            log.info("%s", said, extra=facts(destination=self._bucket.place))

    def give_up(self, origin: Origin, why: CopyError) -> None:
        """Send what lies in the bucket of *origin* from now on."""
        if self.copies(origin):
            self._given_up.add(origin.container)
            level = logging.WARNING if isinstance(why, CopyDiffers) else logging.INFO
            said = f"files of the bucket {origin.container} are sent from here: the service does not copy them"
            log.log(level, "%s", said, extra=facts(destination=self._bucket.place, reason=str(why)))

    def whole(
        self, origin: Origin | None, key: str, send: Callable[[Mapping[str, str]], Stored], condition: Mapping[str, str]
    ) -> Stored:
        """Make *origin* an object under *key*, which was free a moment ago and must be: *condition* says so."""
        if origin is None:
            return send(condition)
        return self._copied_or_sent(origin, partial(self._copied, origin, key, condition), partial(send, condition))

    def part(self, span: Span | None, to: str, upload_id: str, number: int, send: Callable[[], Part]) -> Part:
        """Make *span* one part of an upload."""
        if span is None:
            return send()
        copy = partial(self._bucket.multipart.copy, to, upload_id, number, span)
        return self._copied_or_sent(span.origin, copy, send)

    def _copied_or_sent(self, origin: Origin, copy: Callable[[], Made], send: Callable[[], Made]) -> Made:
        if not self.copies(origin):
            return send()
        try:
            made = copy()
        except CopyError as error:
            sent = send()
            self._learn(origin, error)
            return sent
        self._has_copied(origin)
        return made

    def _learn(self, origin: Origin, error: CopyError) -> None:
        self._failures += 1
        if self._failures >= _PATIENCE or not isinstance(error, _PASSING):
            self.give_up(origin, error)

    def _copied(self, origin: Origin, key: str, condition: Mapping[str, str]) -> Stored:
        """A copy in one request. Raises KeyOccupied also where *origin* is another object by now."""
        try:
            self._bucket.copy(origin, key, _LIKE_AN_UPLOAD | (dict(condition) if self._takes_conditions else {}))
        except KeyOccupied:
            if not self._takes_conditions or self._bucket.look(key) is not None:
                raise
            self._bucket.copy(origin, key, _LIKE_AN_UPLOAD)
            self._takes_conditions = False  # it takes them for conditions of the origin, as Swift does
        # What it answers to a copy need not be what it says of the object ever after.
        made = self._bucket.look(key)
        if made is None:
            raise CopyMissing(self._bucket.place, key, "the service says that it has copied it, and has not")
        return made
