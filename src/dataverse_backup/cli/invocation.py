"""What every command is given: the options before its name, and the configuration that they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import typer

from dataverse_backup import garbage
from dataverse_backup.cli.terminal import warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataverse_backup.allowance import Limits
    from dataverse_backup.config import Settings
    from dataverse_backup.logs import Level

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of all commands."""

    config_file: Path | None
    log_level: Level | None


def settings_of(context: typer.Context) -> Settings:
    """The configuration; what is odd in it is said. Raises ConfigurationError."""
    from dataverse_backup import config  # noqa: PLC0415 -- as in application.py

    settings = config.load(config.find(context.obj.config_file))
    garbage.seldom()  # every command that works for long comes here, with its verb imported
    for warning in settings.warnings:
        warn(warning)
    return settings


def option_value(read: Callable[[str], Value], option: str, text: str) -> Value:
    """What the administrator gave for *option*."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def limits_of(max_duration: str | None, max_bytes: str | None) -> Limits:
    """What the administrator gave for ``--max-duration`` and ``--max-bytes``."""
    from dataverse_backup.allowance import Limits  # noqa: PLC0415 -- as in application.py
    from dataverse_backup.config.values import duration_from, size_from  # noqa: PLC0415 -- as in application.py

    return Limits(
        None if max_duration is None else option_value(duration_from, "--max-duration", max_duration),
        None if max_bytes is None else option_value(size_from, "--max-bytes", max_bytes),
    )
