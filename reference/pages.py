"""Pages of the reference, in Markdown."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from dataverse_backup import errors
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.errors import ObjectError, Reason
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.base import Status
from reference.surroundings import ENVIRONMENT, EXAMPLES, EXIT_CODES, FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reference.command_line import Command, Option

HEAD = "<!-- Written by scripts/docs --write; do not edit. -->"


def command_line(program: Command) -> str:
    """Every command and option."""
    return _page(
        "The command line",
        f"`{program.title} [OPTIONS] COMMAND [ARGUMENTS]`. {program.summary}"
        " What is said here, `--help` and the manual pages say too.",
        *(part for command in program.walk() for part in _command(command)),
        "## Environment",
        _table(("variable", "meaning"), ((f"`{name}`", about) for name, about in ENVIRONMENT.items())),
        "## Files",
        _table(("file", "meaning"), ((f"`{name}`", about) for name, about in FILES.items())),
        "Exit codes: [exit-codes.md](exit-codes.md).",
    )


def _command(command: Command) -> Iterator[str]:
    is_program = len(command.words) == 1
    if not (command.options or command.arguments or not command.commands):
        return  # a group: its commands say everything
    yield "## Options of all commands" if is_program else f"## {command.title}"
    if not is_program:
        yield from (_code("text", _usage(command)), command.summary, *command.further)
    described = [(f"`{one.name}`", one.about) for one in command.arguments]
    described += [(_names(one), _sentence(one.about)) for one in command.options]
    if described:
        yield _table(("option", "meaning"), described)
    for about, lines in EXAMPLES.get(command.title, ()):
        yield from (about, _code("sh", lines))


def _usage(command: Command) -> str:
    options = ["[OPTIONS]"] if command.options else []
    return " ".join([command.title, *options, *(argument.name for argument in command.arguments)])


def _names(option: Option) -> str:
    value = f" {option.value}" if option.value else ""
    return ", ".join(f"`{name}{value}`" for name in option.names)


def exit_codes() -> str:
    """What each means, and what to do."""
    return _page(
        "Exit codes",
        "Every command ends with one of these. `status --nagios` alone answers as Nagios wants it: "
        "0 OK, 1 warning, 2 critical, 3 unknown ([watch it](../howto/monitor.md)).",
        _table(
            ("code", "meaning", "what to make of it"),
            ((str(code.value), code.said, EXIT_CODES[code]) for code in ExitCode),
        ),
    )


def reasons() -> str:
    """Every reason word, by the status that it explains."""
    return _page(
        "Statuses and reasons",
        "Where a datafile stands at a destination is its status; why, is its reason. Both are stable words:"
        " `list`, `status`, mails, the report and `--json` use them."
        " The message of each file says more: `dataverse-backup explain ID`.",
        _table(("status", "meaning"), ((f"`{status}`", about) for status, about in _statuses())),
        *(part for title, found in _by_status().items() for part in _reasons(title, found)),
        "## Errors",
        "For those who extend the program: every error that it raises, with the reasons of those about one object.",
        _code("text", _tree()),
    )


def _reasons(title: str, found: Sequence[Reason]) -> Iterator[str]:
    yield f"## {title}"
    meanings = {reason: _meaning(reason, title) for reason in found}
    if any(meanings.values()):
        rows = ((f"`{reason}`", meanings[reason], _hint(reason)) for reason in found)
        yield _table(("reason", "meaning", "what to do"), rows)
    else:
        yield _table(("reason", "what it means, and what to do"), ((f"`{reason}`", _hint(reason)) for reason in found))


def _statuses() -> Iterator[tuple[Status, str]]:
    meanings = {
        Status.OK: "There is a copy, and it was proven.",
        Status.FAIL_READ: "Its bytes could not be read from the store, or are not those that were registered.",
        Status.FAIL_WRITE: "The copy could not be written, or could not be proven.",
        Status.NOT_HERE: "No store that we know holds its bytes, so there is nothing to copy.",
        Status.PENDING: "Planned, and not tried yet; or in doubt since its destination was accepted.",
        Status.GONE: "No longer in the catalogue; what was copied is kept.",
    }
    for status in Status:
        yield status, meanings[status]


def _by_status() -> dict[str, list[Reason]]:
    """The reasons under the comments that they stand under in the source."""
    found: dict[str, list[Reason]] = {}
    title = ""
    for line in inspect.getsource(Reason).splitlines():
        if heading := re.fullmatch(r"    # (.+)", line):
            title = heading[1]
        elif member := re.match(r"    ([A-Z_]+) = ", line):
            found.setdefault(title, []).append(Reason[member[1]])
            further = re.search(r"# (\w+) too", line)
            if further:
                found.setdefault(further[1], []).append(Reason[member[1]])
    return found


def _meaning(reason: Reason, status: str) -> str:
    """What the error says of itself that has this reason and makes this status."""
    root = {"FAIL_READ": errors.SourceError, "FAIL_WRITE": errors.CopyError}.get(status)
    kinds: list[type[ObjectError]] = root.__subclasses__() if root else []
    return next(((kind.__doc__ or "").partition("\n")[0] for kind in kinds if kind.reason is reason), "")


def _hint(reason: Reason) -> str:
    hint = HINTS[reason]
    return f"{hint[0].upper()}{hint[1:]}."


def _tree() -> str:
    lines = (errors.__doc__ or "").splitlines()
    drawn = [line[4:] for line in lines if line.startswith("    ")]
    return "\n".join(drawn)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", HEAD, *parts]) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_row(row) for row in (head, ["---"] * len(head), *rows))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _sentence(about: str) -> str:
    return " ".join(about.split()).replace("<", "&lt;")


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"
