"""Many requests under way at once, and none any more when nobody answers."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
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
        self._landed: SimpleQueue[Future[Result | Failure]] = SimpleQueue()
        self._lost: Unavailable | None = None

    def start(self, key: str, step: Callable[[], Result]) -> Future[Result | Failure]:
        """Let *step*, about the object under *key*, happen in another thread; an ObjectError becomes a Failure."""
        future = self._pool.submit(tried, key, step)
        future.add_done_callback(self._landed.put)  # waiting for all of them at once costs a tenth of sending them
        return future

    def results(
        self, steps: Iterable[tuple[str, Callable[[], Future[Result | Failure] | Result | Failure]]]
    ) -> Iterator[Result | Failure]:
        """What each step, given with the key that it is about, gives or has started, in any order.

        Once the service as a whole does not answer, steps that were not begun are not: each would wait for its timeout.
        """
        under_way = 0
        for key, step in steps:
            if under_way >= self._threads:
                yield self._seen(self._landed.get().result())
                under_way -= 1
            begun = self._not_begun(key) or step()
            if isinstance(begun, Future):
                under_way += 1
            else:
                yield self._seen(begun)
        for _ in range(under_way):
            yield self._landed.get().result()

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
