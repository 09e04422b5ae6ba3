"""A Dask scheduler, asked in such a way that no question waits for ever."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dataverse_backup.cluster import events, versions
from dataverse_backup.errors import WorkersLost

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from distributed import Future as DaskFuture

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
"""So long the scheduler may take to answer; then it is lost."""
MEMBER_SECONDS = 10.0
"""So long a worker may take; then it has not answered, and nothing is lost."""
CLOSE_SECONDS = 5.0

Answer = TypeVar("Answer")

_HINT = "does `dask scheduler` run there, with its port open to this machine? Scheduler: or --scheduler says where"
_HINT_TLS = "tls:// takes certificates from Dask's own configuration: DASK_DISTRIBUTED__COMM__TLS__CA_FILE and others"


@dataclass(frozen=True, slots=True)
class Member:
    """A worker of the cluster."""

    address: str
    name: str
    threads: int

    def __str__(self) -> str:
        """As people find it again in Dask's dashboard."""
        return self.address if self.name == self.address else f"{self.name} ({self.address})"


class Cancelled(Exception):
    """Nothing more is heard of a task: we have cancelled it, or Dask has, because the connection was lost."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A task that is on its way."""

    result: Future[Any]
    """Done in Dask's thread, which nothing may hold up."""
    cancel: Callable[[], None]
    """Nobody waits for it any more; returns at once."""


class Scheduler:
    """Our connection to the scheduler. Any method raises WorkersLost once it is gone, or answers too late."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.gone: WorkersLost | None = None
        """Why it cannot be asked any more."""
        self._client: Any = None  # a Client, half of whose interface has no types
        self._id = ""

    def connect(self) -> None:
        """Connect; within CONNECT_SECONDS, whatever is at that address."""
        from distributed import Client  # noqa: PLC0415 -- when used
        from distributed.versions import VersionMismatchWarning  # noqa: PLC0415 -- when used

        _hush()
        warnings.simplefilter("ignore", VersionMismatchWarning)  # an error of ours, in our words
        connect = partial(
            Client,
            self.address,
            timeout=CONNECT_SECONDS,
            set_as_default=False,
            name="dataverse-backup",
            direct_to_workers=False,  # only the scheduler need be reached from here
        )
        try:
            self._client = _bounded(connect, CONNECT_SECONDS + CLOSE_SECONDS)
        except Exception as error:
            hint = _HINT_TLS if self.address.startswith("tls") and not isinstance(error, OSError) else _HINT
            said = f"the scheduler {self.address} cannot be reached: {_said(error)}"
            raise WorkersLost(said, hint) from error
        self._id = self._asked(self._client.scheduler.identity)["id"]

    @property
    def _connected(self) -> Any:
        if self.gone is not None:
            raise self.gone
        if self._client is None:
            raise RuntimeError("connect comes first, and nothing after close")
        return self._client

    def members(self) -> dict[str, Member]:
        """The workers that there are now, by address."""
        found = self._asked(self._connected.scheduler.identity, n_workers=-1)
        if found["id"] != self._id or self._connected.status != "running":
            raise self.lost("it was started anew")
        return {
            address: Member(address, str(worker["name"]), worker["nthreads"])
            for address, worker in found["workers"].items()
        }

    def packages(self) -> Mapping[str, Any]:
        """What is installed where the scheduler is."""
        found: Mapping[str, Any] = self._asked(self._connected.scheduler.versions, packages=[versions.OURS])["packages"]
        return found

    def ask(self, question: Callable[..., Any], *arguments: object, members: Collection[str]) -> dict[str, Any]:
        """What *question* gives on each of *members*, or what it raised; OSError for one that did not answer.

        It runs beside the tasks, in the thread that talks to the scheduler, and must not take long.
        """
        client = self._connected

        async def one(address: str) -> Any:
            asked = client.run(question, *arguments, workers=[address], on_error="return")
            return (await asyncio.wait_for(asked, MEMBER_SECONDS))[address]

        async def each() -> list[Any]:
            return await asyncio.gather(*map(one, members), return_exceptions=True)

        return dict(zip(members, self._asked(each), strict=True)) if members else {}

    def submit(self, function: Callable[..., Any], *arguments: object, key: str, members: Collection[str]) -> Sent:
        """Have a task done by one of *members*; never waits for an answer."""
        client = self._connected
        future = client.submit(
            function, *arguments, key=key, workers=sorted(members), allow_other_workers=False, pure=False
        )
        result = asyncio.run_coroutine_threadsafe(_awaited(future), client.loop.asyncio_loop)
        return Sent(result, partial(client.loop.add_callback, client.cancel, [future]))

    def relay(self, recipe: str, hear: events.Hear) -> None:
        """Log here what the tasks of *recipe* log, and *hear* how far they have come."""
        self._connected.subscribe_topic(events.topic_of(recipe), partial(_handle, hear))

    def close(self) -> None:
        """Disconnect, whatever became of it; may be called twice."""
        client, self._client = self._client, None
        if client is not None:
            try:
                _bounded(partial(client.close, timeout=CLOSE_SECONDS), 2 * CLOSE_SECONDS)
            except Exception as error:  # noqa: BLE001 -- nothing more is wanted from it
                log.debug("the scheduler %s was not left: %s", self.address, _said(error))

    def lost(self, why: str) -> WorkersLost:
        """Ask it nothing more; what to raise from now on."""
        if self.gone is None:
            said = f"the scheduler {self.address} is lost: {why}"
            self.gone = WorkersLost(said, "what was not recorded is done by the next run")
        return self.gone

    def _asked(self, question: Callable[..., Any], **options: object) -> Any:
        """What the coroutine *question* gives."""
        ask = partial(self._connected.sync, question, callback_timeout=ANSWER_SECONDS, **options)
        try:
            return _bounded(ask, ANSWER_SECONDS + 1.0)
        except OSError as error:  # TimeoutError is one, and so is what Dask raises for a connection that was closed
            raise self.lost(_said(error)) from error


async def _awaited(future: DaskFuture[Any]) -> Any:
    try:
        return await future
    except (asyncio.CancelledError, Exception) as error:
        if future.status == "error":
            raise  # what the task raised
        raise Cancelled from error  # perhaps it is done, and cannot be fetched any more


def _handle(hear: events.Hear, event: tuple[float, Any]) -> None:
    _, said = event
    if isinstance(said, dict):
        events.handle(said, str(said.get("worker", "")), hear)


def _said(error: BaseException) -> str:
    """What an error says, and what was at the bottom of it, in one line."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    texts = dict.fromkeys(" ".join((str(one) or type(one).__name__).split()) for one in (chain[0], chain[-1]))
    return ": ".join(texts)


def _bounded(call: Callable[[], Answer], seconds: float) -> Answer:
    """What *call* gives; TimeoutError where it takes longer: then its thread is left alone.

    Dask waits for ever, for one thing, where a server takes a connection and says nothing.
    """
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 -- raised in the other thread
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="ask-scheduler").start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None


def _hush() -> None:
    """Let what Dask logs come through our log, from warnings on: it brings a handler of its own."""
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("distributed", "tornado")]:
        logger = logging.getLogger(name)
        if logger.handlers:
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(max(logging.WARNING, logger.level))
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a connection lost, which is ours to say
