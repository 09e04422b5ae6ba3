"""Destinations as workers see them: with what somebody has found out before."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Staging
from dataverse_backup.destinations.ssh.carried import CarriedSshDestination
from dataverse_backup.destinations.ssh.destination import SshDestination

if TYPE_CHECKING:
    from dataverse_backup.destinations.ssh import SshSettings


def carried(name: str, settings: SshSettings, staging: Staging) -> CarriedSshDestination:
    """One that knows what the server can do. The server must be there, and have nothing in its root that may vanish."""
    text = _probed(replace(settings, directory="."))
    directory = settings.directory
    known = json.loads(text) | {"where": settings.where, "root": directory}
    return CarriedSshDestination(name, settings, replace(staging, abilities=json.dumps(known)))


@cache
def _probed(settings: SshSettings) -> str:
    with SshDestination("probe", settings, Staging("probe", "run")) as destination:
        destination.connect()
        return destination.abilities()
