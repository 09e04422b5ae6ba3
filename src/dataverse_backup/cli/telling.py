"""Who hears of a run: people by mail and chat, machines by files and calls. None of it ever loses a result."""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import TYPE_CHECKING, Self

from dataverse_backup import assembly
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.reporting import write_folder
from dataverse_backup.cli.summary import result_of
from dataverse_backup.cli.terminal import say_error
from dataverse_backup.errors import DataverseBackupError, LedgerError, NotificationError
from dataverse_backup.logs import Tail, facts
from dataverse_backup.notify import prometheus, text
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.ping import Moment, ping
from dataverse_backup.notify.summary import Summary, gather, without_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dataverse_backup.actions.audit_events import AuditEnded
    from dataverse_backup.actions.events import Ended
    from dataverse_backup.actions.reconcile_events import ReconcileEnded
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.notify.base import Channel
    from dataverse_backup.notify.summary import Result

log = logging.getLogger("dataverse_backup.run")

_WELL = (ExitCode.OK, ExitCode.LIMIT)


class Telling:
    """Tells how one run starts and ends: a block around the run, so that an error that ends it is told too."""

    def __init__(self, settings: Settings, *, pings: bool = True) -> None:
        """*pings* says whether the dead-man service is told, too: it waits for backups."""
        self._settings = settings
        self._ping_url = settings.notifications.ping_url if pings else None
        self._tail = Tail()
        self._is_told = False
        self._channels = assembly.make_channels(settings.notifications)

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self._tail)
        self._ping(Moment.START, "")
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception) and not self._is_told:
            self._tell_error(error)
        logging.getLogger().removeHandler(self._tail)

    def tell(self, ledger: Ledger, ended: Sequence[Ended | AuditEnded | ReconcileEnded], code: ExitCode) -> ExitCode:
        """Tell everybody; the exit code: what could not be told counts only where nothing else went wrong."""
        self._is_told = True
        results = [result_of(one) for one in ended]
        for result in results:
            _log_end(result)
        is_told = self._write_files(ledger)
        if self._channels:
            is_told &= self._send(_summary_of(ledger, results))
        if code in _WELL and not is_told:
            code = ExitCode.FAILURES
        said = "".join(f"{text.describe(result)}\n" for result in results)
        self._ping(Moment.WELL if code in _WELL else Moment.FAILED, said)
        return code

    def _tell_error(self, error: Exception) -> None:
        """The run ended without results: a database does not answer, or there is a bug."""
        trouble = error if isinstance(error, DataverseBackupError) else _bug(error)
        log.error("run ended", extra=facts(outcome="error"))
        _is_done(self._write_files_anew)
        self._send(Summary(socket.gethostname(), (), trouble))
        self._ping(Moment.FAILED, f"{trouble.message}\n")

    def _write_files_anew(self) -> bool:
        notifications = self._settings.notifications
        if notifications.prometheus_file is None and notifications.report_directory is None:
            return True
        with assembly.open_ledger(self._settings) as ledger:
            return self._write_files(ledger)

    def _write_files(self, ledger: Ledger) -> bool:
        """What others read from files, whatever came of the run: where every destination stands."""
        written = [_is_done(partial(write, self._settings, ledger)) for write in (_write_figures, _write_report)]
        return all(written)

    def _send(self, summary: Summary) -> bool:
        """Tell every channel that is to hear of this; whether all could be told."""
        if not self._is_wanted(summary):
            return True
        told = [_is_done(partial(_send_one, channel, summary)) for channel in self._channels]
        return all(told)

    def _is_wanted(self, summary: Summary) -> bool:
        when = self._settings.notifications.when
        return {"always": True, "failure": not summary.is_well, "change": summary.has_changed}[when]

    def _ping(self, moment: Moment, said: str) -> None:
        if self._ping_url is None:
            return
        try:
            ping(self._ping_url.get_secret_value(), moment, said + self._tail.text())
        except NotificationError as error:  # the service tells people itself that nobody called
            log.warning("%s", error.message)


def _summary_of(ledger: Ledger, results: Sequence[Result]) -> Summary:
    """What there is to tell; less of it, where the ledger does not answer any more."""
    host = socket.gethostname()
    try:
        return gather(ledger, results, host)
    except LedgerError as error:
        say_error(error)
        return without_ledger(results, host)


def _bug(error: Exception) -> DataverseBackupError:
    said = f"the run ended by an error of the program: {type(error).__name__}: {error}"
    return DataverseBackupError(said, "please report it, with what stands on standard error")


def _write_figures(settings: Settings, ledger: Ledger) -> bool:
    if (path := settings.notifications.prometheus_file) is not None:
        prometheus.write(path, ledger, sorted(settings.destinations))
    return True


def _write_report(settings: Settings, ledger: Ledger) -> bool:
    if (folder := settings.notifications.report_directory) is not None:
        write_folder(settings, ledger, folder)
    return True


def _send_one(channel: Channel, summary: Summary) -> bool:
    channel.send(compose(summary, is_attached=channel.takes_attachments))
    return True


def _is_done(act: Callable[[], bool]) -> bool:
    """Whether *act* did what it should; what went wrong with it is in the log, and ends nothing."""
    try:
        return act()
    except DataverseBackupError as error:
        say_error(error)
    except Exception:  # a bug in what is told must not lose the result of what was done
        log.exception("what happened could not be told")
    return False


def _log_end(result: Result) -> None:
    run = result.run
    log.info(
        "run ended",
        extra=facts(
            run=run.id if run else None,
            destination=result.destination,
            outcome=result.ending,
            proven=result.proven,
            failed=result.failed,
            bytes=run.bytes_sent if run else None,
            limit=result.limit,
            left=result.left_files if result.limit else None,
            seconds=round(text.seconds_of(result), 3),
        ),
    )
