"""The clusters that do the work of some destinations."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.assembly.destinations import make_destination
from dataverse_backup.assembly.extras import extra
from dataverse_backup.assembly.stores import make_stores
from dataverse_backup.destinations.base import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dataverse_backup.cluster.connection import Cluster
    from dataverse_backup.config import Settings
    from dataverse_backup.config.destinations import DestinationSettings
    from dataverse_backup.config.stores import StoreSettings


@contextmanager
def open_clusters(
    settings: Settings, names: Iterable[str], scheduler: str | None, is_stopping: Callable[[], bool]
) -> Iterator[dict[str, Cluster]]:
    """The cluster of each destination of *names* that is to have one; of all of them, where *scheduler* is given."""
    by_address: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if address := scheduler or settings.destinations[name].scheduler:
            by_address[address].append(name)
    with ExitStack() as opened:
        yield {
            name: cluster
            for address, its in by_address.items()
            for cluster in [opened.enter_context(_make_cluster(settings, address, its, is_stopping))]
            for name in its
        }


def _make_cluster(settings: Settings, address: str, names: list[str], is_stopping: Callable[[], bool]) -> Cluster:
    with extra("cluster"):
        import distributed  # noqa: F401, PLC0415 -- when used

    from dataverse_backup.cluster.connection import Cluster  # noqa: PLC0415 -- when used

    destinations = [settings.destinations[name] for name in names]
    return Cluster(address, settings, names, partial(_try_out, settings.stores, destinations), is_stopping)


def _try_out(stores: Mapping[str, StoreSettings], destinations: Iterable[DestinationSettings]) -> None:
    """Make all of them, and connect to none: what is not installed, or cannot be used, is known then."""
    for store in make_stores(stores).values():
        store.close()
    for destination in destinations:
        make_destination(destination, Staging("", "")).close()
