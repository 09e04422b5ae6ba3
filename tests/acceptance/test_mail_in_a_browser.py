"""The HTML of a mail as people see it: on a phone, in the dark, with a screen reader, with hostile names in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import DestinationLost
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import Result, gather
from tests.acceptance.browser import browser, outside
from tests.contract.ledger_cases import HERE, key_of
from tests.unit.memory_world import World

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "</td></script><script>document.title='obeyed'</script>",
    "<img src=nowhere.png onerror=\"document.title='obeyed'\">",
    "a\u202egpj\n" + "long" * 60,
)
PHONE = 360


def mail_of(world: World) -> str:
    """The mail about a run in which files with hostile names failed, and one is well again."""
    lost = DestinationLost("<b>lost</b>", "<i>look</i>")
    for number, name in enumerate(HOSTILE, 1):
        del world.store.objects[key_of(world.has(number, label=name, directory_label=name))]
    world.has(10)
    world.run()
    world.has(1)
    world.run()
    run = world.ledger.end_run(next(world.ledger.runs()).id, "failures")
    result = Result(HERE, "failures", False, run, run.files_ok, run.files_failed, (lost,))
    return compose(gather(world.ledger, [result], "archive1"), is_attached=True).html


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_mail_can_be_read_everywhere_and_no_name_in_it_is_obeyed(tmp_path: Path, scheme: str) -> None:
    page = tmp_path / "pages" / "mail.html"
    page.parent.mkdir()
    page.write_text(mail_of(World()), "utf-8")
    with browser(tmp_path / "profile") as opened:
        opened.prefer(scheme)
        opened.resize(PHONE)
        opened.open(page)
        assert opened.ask("return document.title").startswith("Dataverse backup FAILED: ")
        assert opened.texts(".outcome") == ["FAILED"]
        assert opened.ask("return document.documentElement.scrollWidth") <= PHONE
        assert opened.violations() == []
        assert opened.complaints() == []
        assert outside(opened.asked_for(), page.parent) == []
