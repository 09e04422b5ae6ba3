"""One command, from what was typed to its exit code."""

from __future__ import annotations

import sys

from dataverse_backup.cli.application import app
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.terminal import say_error
from dataverse_backup.errors import ConfigurationError, DataverseBackupError, LockHeld


def run() -> None:
    """Run the command that was typed; the only place where an error becomes text and an exit code."""
    try:
        app()
    except ConfigurationError as error:
        _end(error, ExitCode.USAGE)
    except LockHeld as error:
        _end(error, ExitCode.BUSY)
    except DataverseBackupError as error:
        _end(error, ExitCode.COULD_NOT_RUN)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Somebody closed our output early, as `| head` does; nothing was lost.
        sys.stderr.close()
        sys.exit(ExitCode.OK)


def _end(error: DataverseBackupError, code: ExitCode) -> None:
    say_error(error)
    sys.exit(code)
