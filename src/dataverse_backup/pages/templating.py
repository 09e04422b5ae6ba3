"""Templates of pages: everything that is put in is escaped, and what could not be seen is made visible."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dataverse_backup import __version__
from dataverse_backup.errors import printable
from dataverse_backup.ledger.audits import name_of_place
from dataverse_backup.pages.data import block
from dataverse_backup.wording import duration_of, size_of

if TYPE_CHECKING:
    from datetime import datetime

    from dataverse_backup.ledger.base import RunRecord


NOTHING = "\N{EN DASH}"
"""Stands where no amount can be told."""
BEGINNING = "<!DOCTYPE html>\n<!--"
"""What every page begins with; a space, its mark and another space follow."""


def render(template: str, mark: str = f"dataverse-backup {__version__}", **told: Any) -> str:
    """The page that *template* makes of what it is told; *mark* says in a comment what made it."""
    return _environment().get_template(template).render(mark=mark, **told)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dataverse_backup.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "block": lambda value: Markup(block(value)),  # noqa: S704 -- block escapes whatever could end it
        "size": size_of,
        "count": "{:,}".format,
        "when": _when,
        "place": name_of_place,
        "duration": _duration,
        "seconds": _seconds,
        "speed": _speed,
        "rate": _rate,
        "percent": _percent,
        "share": _share,
    }
    return environment


def _visible(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _when(time: datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def _seconds(run: RunRecord) -> float:
    return 0.0 if run.ended is None else (run.ended - run.started).total_seconds()


def _speed(run: RunRecord) -> float:
    """Bytes sent, or read, in a second; 0 for a run of which none can be told."""
    seconds = _seconds(run)
    return (run.bytes_sent + run.bytes_read) / seconds if seconds >= 1 else 0.0


def _duration(run: RunRecord) -> str:
    return "not ended" if run.ended is None else duration_of(_seconds(run))


def _rate(run: RunRecord) -> str:
    speed = _speed(run)
    return f"{size_of(speed)}/s" if speed else NOTHING


def _percent(part: float, whole: float) -> str:
    """A share for style sheets."""
    return f"{100 * part / whole if whole else 0:.3f}%"


def _share(part: int, whole: int) -> str:
    """A share for people: only all is 100 %, and only nothing is 0 %."""
    if not whole:
        return NOTHING
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %" if 0 < part < whole else f"{100 * part // whole} %"
