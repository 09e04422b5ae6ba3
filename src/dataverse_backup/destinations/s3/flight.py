"""Many requests under way at once, and none any more when nobody answers."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Generic, TypeVar

from dataverse_backup.destinations.base import IDENTITY_KEY, Failure
from dataverse_backup.errors import ObjectError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dataverse_backup.destinations.s3.bucket import Bucket

Result = TypeVar("Result")


class Flight(Generic[Result]):
    """Answers of one kind, one Result or Failure for each object; leaving it waits for what is under way."""

    def __init__(self, bucket: Bucket, threads: int) -> None:
        """Let *threads* requests to *bucket* be under way at once."""
        self._bucket, self._threads = bucket, threads
        self._pool = ThreadPoolExecutor(threads)
        self._lost: Unavailable | None = None

    def start(self, key: str, step: Callable[[], Result]) -> Future[Result | Failure]:
        """Let *step*, about the object under *key*, happen in another thread; an ObjectError becomes a Failure."""
        return self._pool.submit(tried, key, step)

    def results(
        self, steps: Iterable[tuple[str, Callable[[], Future[Result | Failure] | Result | Failure]]]
    ) -> Iterator[Result | Failure]:
        """What each step, given with the key that it is about, gives or has started, in any order.

        Once the service as a whole does not answer, steps that were not begun are not: each would wait for its timeout.
        """
        under_way: set[Future[Result | Failure]] = set()
        for key, step in steps:
            if len(under_way) >= self._threads:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (self._seen(future.result()) for future in done)
            begun = self._not_begun(key) or step()
            if isinstance(begun, Future):
                under_way.add(begun)
            else:
                yield self._seen(begun)
        yield from (future.result() for future in under_way)

    def _not_begun(self, key: str) -> Failure | None:
        if self._lost is None:
            return None
        return Failure(key, Unavailable(self._bucket.place, key, "the service does not answer", self._lost.hint))

    def _seen(self, result: Result | Failure) -> Result | Failure:
        """*result*; one that was unavailable lets us ask whether everything is."""
        if self._lost is None and isinstance(result, Failure) and isinstance(result.error, Unavailable):
            try:
                self._bucket.look(IDENTITY_KEY)
            except Unavailable as error:
                self._lost = error
            except ObjectError:
                pass  # it answers
        return result

    def __enter__(self) -> Flight[Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def tried(key: str, step: Callable[[], Result]) -> Result | Failure:
    """What *step* gives, or the ObjectError that it raises as the Failure of *key*."""
    try:
        return step()
    except ObjectError as error:
        return Failure(key, error)
