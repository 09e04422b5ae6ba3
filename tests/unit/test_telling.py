"""Who is told of a run when, and that nothing of it loses the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest
from typer.testing import CliRunner

from dataverse_backup import assembly
from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.cli.application import app
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.telling import Telling
from dataverse_backup.errors import CatalogueUnavailable, DestinationLost, LedgerUnavailable, NotificationError
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.notify.memory import MemoryChannel
from tests.contract.ledger_cases import datafile
from tests.contract.many_failures import fail
from tests.unit.config_files import REST, loaded, written

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.notify.base import Message


class Broken(MemoryChannel):
    def send(self, message: Message) -> None:
        raise RuntimeError(f"a bug: {message.subject}")


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> MemoryChannel:
    """The only way to tell anybody."""
    made = MemoryChannel()
    use(monkeypatch, made)
    return made


def use(monkeypatch: pytest.MonkeyPatch, *channels: MemoryChannel) -> None:
    monkeypatch.setattr(assembly, "make_channels", lambda _: list(channels))


def tell(folder: Path, ending: Ending = Ending.OK, *, when: str = "always", failures: int = 0) -> ExitCode:
    """The exit code of a run that came out like that."""
    settings = loaded(folder, f"[Notifications]\nWhen: {when}\n{REST}")
    code = ExitCode.OK if ending is Ending.OK else ExitCode.FAILURES
    with assembly.open_ledger(settings) as ledger, Telling(settings) as telling:
        if failures:
            record = fail(ledger, [datafile(number) for number in range(1, failures + 1)])
        else:
            record = ledger.end_run(ledger.begin_run("backup", "default"), ending)
        return telling.tell(ledger, [Ended("default", ending, record=record)], code)


def test_a_run_that_is_well_is_told_once(tmp_path: Path, channel: MemoryChannel) -> None:
    assert tell(tmp_path) is ExitCode.OK
    (message,) = channel.told
    assert message.is_well


def test_a_message_that_cannot_be_sent_counts_only_where_nothing_else_went_wrong(
    tmp_path: Path, channel: MemoryChannel, caplog: pytest.LogCaptureFixture
) -> None:
    channel.failure = NotificationError("nobody listens", "speak up")
    assert tell(tmp_path) is ExitCode.FAILURES
    assert caplog.messages == ["nobody listens"]
    settings = loaded(tmp_path, REST)
    with assembly.open_ledger(settings) as ledger, Telling(settings) as telling:
        lost = Ended("default", Ending.LOST, lost=DestinationLost("gone"))
        assert telling.tell(ledger, [lost], ExitCode.COULD_NOT_RUN) is ExitCode.COULD_NOT_RUN


def test_a_bug_in_one_channel_loses_neither_the_result_nor_the_other_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = MemoryChannel()
    use(monkeypatch, Broken(), other)
    assert tell(tmp_path) is ExitCode.FAILURES
    assert len(other.told) == 1
    assert caplog.messages == ["what happened could not be told"]


class Gone(MemoryLedger):
    def tallies(self, destination: str, *, companions: bool = False) -> NoReturn:  # noqa: ARG002 -- its signature
        raise LedgerUnavailable(f"nobody knows where {destination} stands")


def test_a_ledger_that_does_not_answer_any_more_does_not_keep_a_result_from_being_told(
    tmp_path: Path, channel: MemoryChannel
) -> None:
    lost = Ended("default", Ending.LOST, lost=DestinationLost("no such folder", "make it"))
    with Telling(loaded(tmp_path, REST)) as telling:
        assert telling.tell(Gone(), [lost], ExitCode.COULD_NOT_RUN) is ExitCode.COULD_NOT_RUN
    (message,) = channel.told
    assert "no such folder" in message.text


def test_when_says_which_runs_are_told(tmp_path: Path, channel: MemoryChannel) -> None:
    tell(tmp_path, when="failure")
    assert channel.told == []
    tell(tmp_path, Ending.FAILURES, when="failure", failures=2)
    assert len(channel.told) == 1
    tell(tmp_path, Ending.FAILURES, when="change", failures=2)
    assert len(channel.told) == 1
    tell(tmp_path, Ending.FAILURES, when="change", failures=3)
    assert len(channel.told) == 2
    tell(tmp_path, when="change")
    assert len(channel.told) == 3
    assert channel.told[-1].is_well


def test_an_error_that_ends_a_run_is_told_and_raised(tmp_path: Path, channel: MemoryChannel) -> None:
    trouble = CatalogueUnavailable("the database does not answer", "is it running?")
    with pytest.raises(CatalogueUnavailable), Telling(loaded(tmp_path, REST)):
        raise trouble
    (message,) = channel.told
    assert "the database does not answer" in message.subject
    assert "is it running?" in message.text


def test_a_bug_that_ends_a_run_is_told_and_raised(tmp_path: Path, channel: MemoryChannel) -> None:
    with pytest.raises(ZeroDivisionError), Telling(loaded(tmp_path, REST)):
        raise ZeroDivisionError("oh")
    (message,) = channel.told
    assert "ZeroDivisionError: oh" in message.subject


def test_an_error_after_everybody_was_told_is_not_told_again(tmp_path: Path, channel: MemoryChannel) -> None:
    with pytest.raises(CatalogueUnavailable):
        fail_after_telling(tmp_path)
    assert len(channel.told) == 1


def fail_after_telling(folder: Path) -> None:
    settings = loaded(folder, REST)
    with assembly.open_ledger(settings) as ledger, Telling(settings) as telling:
        telling.tell(ledger, [Ended("default", Ending.BUSY)], ExitCode.BUSY)
        raise CatalogueUnavailable("too late")


def test_a_repair_that_finds_nothing_to_do_is_no_error_and_nobody_is_told(
    tmp_path: Path, channel: MemoryChannel
) -> None:
    answer = CliRunner().invoke(app, ["--config", str(written(tmp_path, REST)), "repair"])
    assert (answer.exit_code, channel.told) == (0, [])
    assert "No audit found" in answer.stdout
