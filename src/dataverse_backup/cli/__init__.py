"""The command line: parse, assemble, act, render; errors to exit codes."""

import gc


def main() -> None:
    """Run the command that was typed."""
    # What is imported stays: to look for garbage in it, again and again, takes a quarter of the start. A command that
    # has imported its verb begins with that when it reads the configuration (`settings_of`).
    gc.disable()
    # Every worker process imports this module again, as multiprocessing has it, and needs nothing of the command line.
    from dataverse_backup.cli.running import run  # noqa: PLC0415 -- see above

    run()
