"""`check` and `accept`."""

from __future__ import annotations

import os
import uuid
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from dataverse_backup import assembly
from dataverse_backup.actions import check as action
from dataverse_backup.actions.possession import accept
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.terminal import out, plain
from dataverse_backup.destinations.base import Staging
from dataverse_backup.errors import NotificationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.config import Settings
    from dataverse_backup.notify.base import Channel


def run(settings: Settings) -> ExitCode:
    """Say of each thing whether it is OK; FAILURES when one is not."""
    all_ok = True
    for checked in _checks(settings):
        all_ok = all_ok and checked.is_ok
        out.print(_line(checked))
    return ExitCode.OK if all_ok else ExitCode.FAILURES


def _checks(settings: Settings) -> Iterator[action.Checked]:
    open_ledger = partial(assembly.open_ledger, settings)
    stores = assembly.make_stores(settings.stores)
    yield from action.check_catalogue(partial(assembly.open_catalogue, settings), stores)
    yield action.check_dumper(assembly.make_dumper(settings, settings.destinations))
    yield from action.check_ledger(open_ledger)
    for name in sorted(settings.destinations):
        yield from action.check_destination(name, open_ledger, assembly.open_destination(settings, name))
    with assembly.open_clusters(settings, settings.destinations, None, lambda: False) as clusters:
        for cluster in dict.fromkeys(clusters.values()):
            yield from action.check_cluster(cluster.address, cluster.connect)
    yield from _notifications(settings)


def _notifications(settings: Settings) -> Iterator[action.Checked]:
    channels = assembly.make_channels(settings.notifications)
    if not channels:
        yield action.Checked("notifications", is_ok=True, said="nobody is to be told")
    for channel in channels:
        yield _channel(channel)
    folders = {
        "ReportDirectory": settings.notifications.report_directory,
        "PrometheusFile": settings.notifications.prometheus_file and settings.notifications.prometheus_file.parent,
    }
    for key, folder in folders.items():
        if folder is not None:
            is_writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
            said = f"{folder} {'can be' if is_writable else 'is no folder that can be'} written to"
            yield action.Checked(key, is_ok=is_writable, said=said)


def _channel(channel: Channel) -> action.Checked:
    try:
        return action.Checked(channel.name, is_ok=True, said=channel.check())
    except NotificationError as error:
        return action.Checked(channel.name, is_ok=False, said=error.message, hint=error.hint)


def _line(checked: action.Checked) -> Text:
    if checked.is_ok:
        return plain(f"{checked.name}: ") + Text("OK", style="green") + plain(f" ({checked.said})")
    hint = plain(f"\n  hint: {checked.hint}") if checked.hint else Text()
    return plain(f"{checked.name}: ") + Text("FAILED", style="bold red") + plain(f" ({checked.said})") + hint


def accept_destination(settings: Settings, name: str) -> None:
    """Write our identity to the destination."""
    (name,) = chosen_destinations(settings, [name])
    with assembly.open_ledger(settings) as ledger:
        staging = Staging(ledger.id, f"accept-{uuid.uuid4().hex}")
        with ledger.lock(name), assembly.open_destination(settings, name)(staging) as destination:
            destination.connect()
            doubted = accept(ledger, destination)
            destination.sweep()
    out.print(plain(f"{name}: belongs to ledger {ledger.id} now"))
    if doubted:
        out.print(plain(f"the next backup proves {doubted:,} copies where they lie, and copies what is missing"))
