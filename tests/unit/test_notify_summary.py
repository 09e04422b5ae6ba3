"""What is told of a run: gathered from the ledger, worded, and harmless."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.errors import CatalogueUnavailable, DestinationLost
from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import MOST_NAMED, Result, Summary, gather
from tests.contract.ledger_cases import HERE, datafile, key_of
from tests.contract.many_failures import fail
from tests.unit.memory_world import World

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import RunRecord
    from dataverse_backup.notify.base import Message

WRONG = Checksum(Algorithm.MD5, "0" * 32)
HOSTILE = '=cmd|"</script><img src=x onerror=alert(1)>\r\nBcc: eve@example.edu\u202egpj\x00'


def ran(world: World, outcome: str = "failures") -> RunRecord:
    """One run over *world*, and how the ledger has it."""
    world.run()
    return world.ledger.end_run(next(world.ledger.runs()).id, outcome)


def result(run: RunRecord | None, **changes: Any) -> Result:
    made = Result(
        HERE, run.outcome if run else "busy", False, run, run.files_ok if run else 0, run.files_failed if run else 0
    )
    return replace(made, is_well=made.ending == "ok", **changes)


def summary(world: World, outcome: str = "failures", **options: Any) -> Summary:
    return gather(world.ledger, [result(ran(world, outcome))], "archive1", **options)


def rows(message: Message, name: str) -> list[dict[str, str]]:
    (found,) = [one for one in message.attachments if one.name == name]
    return list(csv.DictReader(io.StringIO(found.content.decode(), newline="")))


@pytest.fixture
def world() -> World:
    """Two datafiles that are well, two that differ from what is registered, one that is missing."""
    made = World()
    for number in (1, 2):
        made.has(number)
    for number in (3, 4):
        made.has(number, checksum=WRONG)
    missing = made.has(5)
    del made.store.objects[key_of(missing)]
    return made


def test_the_outcome_comes_first_in_the_subject(world: World) -> None:
    assert (
        compose(summary(world), is_attached=True).subject
        == "Dataverse backup FAILED: 2 files backed up, 3 failed (archive1)"
    )


def test_a_run_that_is_well_asks_nothing_of_anybody() -> None:
    world = World()
    world.has(1)
    message = compose(summary(world, "ok"), is_attached=True)
    assert message.subject == "Dataverse backup OK: 1 files backed up, 0 failed (archive1)"
    assert message.is_well
    assert "nothing: every file that can be copied has a proven copy" in message.text
    assert [one.name for one in message.attachments] == ["copied.csv"]


def test_every_failed_file_is_named_under_its_reason_with_what_to_do(world: World) -> None:
    text = compose(summary(world), is_attached=True).text
    assert text.index("FAIL_READ source-differs: 2 files") < text.index("FAIL_READ missing: 1 file,")
    for number in (3, 4, 5):
        assert f"- datafile {number}, doi:10.5072/FK2/ABCDEF, raw/data {number}.txt\n" in text
        assert key_of(datafile(number)) in text
    assert "datafile 1," not in text
    assert "what to do: the stored bytes are not those that were registered" in text


def test_the_lists_have_every_file_that_failed_and_every_file_that_was_copied(world: World) -> None:
    message = compose(summary(world), is_attached=True)
    failed = rows(message, "failed.csv")
    assert {(row["datafile_id"], row["reason"]) for row in failed} == {
        ("3", "source-differs"),
        ("4", "source-differs"),
        ("5", "missing"),
    }
    assert all(row["hint"] and row["message"] for row in failed)
    assert [row["datafile_id"] for row in rows(message, "copied.csv")] == ["1", "2"]


def test_where_nothing_can_be_attached_the_text_says_where_the_lists_are(world: World) -> None:
    message = compose(summary(world), is_attached=False)
    assert message.attachments == ()
    assert "failed.csv is not attached; its content: dataverse-backup list --csv" in message.text


def test_lists_that_are_too_long_together_are_left_out_and_named(world: World) -> None:
    gathered = summary(world)
    sizes = {one.name: len(one.content) for one in gathered.lists}
    again = gather(world.ledger, [result(next(world.ledger.runs()))], "h", most_attached=sizes["failed.csv"])
    assert ([one.name for one in again.lists], again.too_long) == (["failed.csv"], ("copied.csv",))
    text = compose(again, is_attached=True).text
    assert "Attached: failed.csv" in text
    assert "copied.csv is not attached" in text


def test_what_was_failing_and_is_well_now_is_told(world: World) -> None:
    ran(world)
    world.has(3)
    gathered = summary(world)
    assert gathered.sections[0].changes.well_again == 1
    assert gathered.sections[0].changes.began_to_fail == 0
    text = compose(gathered, is_attached=True).text
    assert "Well again at default: 1 file that failed before\n  - datafile 3," in text


def test_something_has_changed_when_the_outcome_has_or_a_file_began_to_fail_or_is_well_again(world: World) -> None:
    assert summary(world).has_changed  # the first run
    assert not summary(world).has_changed
    world.has(6, checksum=WRONG)
    assert summary(world).has_changed
    assert not summary(world).has_changed
    world.has(6)
    assert summary(world).has_changed
    assert not summary(world).has_changed
    assert summary(world, "interrupted").has_changed


def test_what_runs_did_that_were_killed_is_told_by_the_next(world: World) -> None:
    world.run()  # its end is never noted
    world.has(6)
    gathered = summary(world)
    (killed,) = gathered.sections[0].killed
    message = compose(gathered, is_attached=True)
    assert f"{killed.started:%Y-%m-%d %H:%M:%S} UTC told nobody" in message.text
    assert [row["datafile_id"] for row in rows(message, "copied.csv")] == ["1", "2", "6"]
    assert compose(summary(world), is_attached=True).text.count("told nobody") == 0


def test_what_a_run_did_before_an_error_ended_it_is_told_by_the_next(world: World) -> None:
    ran(world, "error")
    message = compose(summary(world), is_attached=True)
    assert [row["datafile_id"] for row in rows(message, "copied.csv")] == ["1", "2"]


def test_a_run_that_could_not_be_done_at_all_is_told_with_its_hint() -> None:
    trouble = CatalogueUnavailable("the Dataverse database does not answer", "is it running?")
    message = compose(Summary("archive1", (), trouble), is_attached=True)
    assert message.subject == "Dataverse backup FAILED: the Dataverse database does not answer (archive1)"
    assert not message.is_well
    for form in (message.text, message.html):
        assert "is it running?" in form
        assert "dataverse-backup check" in form


def test_a_destination_that_is_lost_or_busy_is_told(world: World) -> None:
    lost = result(None, troubles=(DestinationLost("second: no such folder", "mkdir it"),))
    message = compose(gather(world.ledger, [lost], "h"), is_attached=True)
    assert "default could not be used" in message.subject
    for form in (message.text, message.html):
        assert "second: no such folder" in form
        assert "mkdir it" in form


def test_an_interrupted_run_says_so_first(world: World) -> None:
    message = compose(summary(world, "interrupted"), is_attached=True)
    assert message.subject.startswith("Dataverse backup INTERRUPTED: ")
    assert "goes on where this run was stopped" in message.text


class Tags(HTMLParser):
    """Notes every tag and attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


def test_hostile_names_are_harmless_in_every_form() -> None:
    world = World()
    harmless = compose(summary(world), is_attached=True)
    world.has(1, label=HOSTILE, directory_label="", checksum=WRONG)
    world.has(2, label="\udcff broken", checksum=WRONG)
    message = compose(summary(world), is_attached=True)
    assert {"script", "img", "onerror"}.isdisjoint(Tags(message.html).found)
    assert Tags(harmless.html).found <= Tags(message.html).found
    for form in (message.subject, message.text, message.html, message.brief):
        assert form.encode()
        assert all(c.isprintable() or c == "\n" for c in form)
    assert "\nBcc" not in message.text
    (first, second) = rows(message, "failed.csv")
    assert first["label"].startswith("'=cmd")
    assert second["label"] == "\\udcff broken"


def test_only_the_first_files_of_a_reason_are_named() -> None:
    ledger = MemoryLedger()
    run = fail(ledger, [datafile(number) for number in range(MOST_NAMED + 7)])
    text = compose(gather(ledger, [result(run)], "h"), is_attached=True).text
    assert text.count("- datafile ") == MOST_NAMED
    assert "… and 7 more" in text
