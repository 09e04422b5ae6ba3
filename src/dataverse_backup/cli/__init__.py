"""The command line: parse, assemble, act, render; errors to exit codes."""


def main() -> None:
    """Run the command that was typed."""
    # Every worker process imports this module again, as multiprocessing has it, and needs nothing of the command line.
    from dataverse_backup.cli.running import run  # noqa: PLC0415 -- see above

    run()
