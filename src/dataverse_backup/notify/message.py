"""A message from a summary, in every form in which a channel may want it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dataverse_backup.errors import printable
from dataverse_backup.notify import text
from dataverse_backup.notify.base import Message
from dataverse_backup.wording import duration_of, size_of

if TYPE_CHECKING:
    from jinja2 import Template

    from dataverse_backup.notify.summary import Summary


def compose(summary: Summary, *, is_attached: bool) -> Message:
    """What is told; *is_attached* says whether the lists of files can go with it."""
    return Message(
        subject=text.subject(summary),
        text=text.body(summary, is_attached=is_attached),
        html=_template().render(summary=summary, text=text, is_attached=is_attached),
        brief=text.brief(summary),
        is_well=summary.is_well,
        attachments=summary.lists if is_attached else (),
    )


@cache
def _template() -> Template:
    """The template of the HTML: everything put into it is escaped, and made printable first."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 -- only who sends a mail needs it

    environment = Environment(
        loader=PackageLoader("dataverse_backup.notify"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(size=size_of, duration=duration_of)
    return environment.get_template("mail.html.jinja")
