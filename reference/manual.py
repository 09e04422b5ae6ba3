"""Manual pages in the language of mdoc(7), which mandoc and groff read."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from dataverse_backup.cli.exit_codes import ExitCode
from reference.command_line import PROGRAM
from reference.surroundings import ENVIRONMENT, EXAMPLES, FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reference.command_line import Argument, Command, Option

DATE = "November 24, 2026"
"""What the pages are dated; renewed with each release."""
SECTION = "1"
WIDTH = 72
HEAD = '.\\" Written by scripts/docs --write; do not edit.'


def page(command: Command, program: Command) -> str:
    """The manual page of *command*, one of *program*."""
    return "\n".join(_lines(command, program)) + "\n"


def _lines(command: Command, program: Command) -> Iterator[str]:
    yield from (HEAD, f".Dd {DATE}", f".Dt {command.page.upper()} {SECTION}", ".Os")
    yield from (".Sh NAME", f".Nm {command.page}", f".Nd {_text(_lowered(command.summary.rstrip('.')))}")
    yield from (".Sh SYNOPSIS", *_synopsis(command))
    yield from (".Sh DESCRIPTION", *_paragraphs([command.summary, *command.further]))
    yield from _list("The options are as follows:", map(_option, command.options))
    yield from _list("The arguments are as follows:", map(_argument, command.arguments))
    yield from _list("The commands are as follows:", map(_command, _leaves(command)))
    if command is program:
        yield from _section("ENVIRONMENT", ((f"Ev {name}", about) for name, about in ENVIRONMENT.items()))
        yield from _section("FILES", ((f"Pa {_text(path)}", about) for path, about in FILES.items()))
    yield from _section("EXIT STATUS", ((str(code.value), f"{code.said}.") for code in ExitCode))
    yield from _examples(command)
    yield from (".Sh SEE ALSO", *_see_also(command, program))


def _leaves(command: Command) -> list[Command]:
    return [one for one in command.walk() if one is not command and not one.commands]


def _synopsis(command: Command) -> Iterator[str]:
    yield f".Nm {PROGRAM}"
    if command.words[1:]:
        yield ".Op Ar options"
        yield f".Cm {' '.join(command.words[1:])}"
    for option in command.options:
        yield f".Op {_names(option)}{' ...' if option.is_repeatable else ''}"
    for argument in command.arguments:
        yield f".Ar {_text(argument.name)}"
    if command.commands:
        yield from (".Ar command", ".Op Ar arguments")


def _names(option: Option) -> str:
    """The first name, and what it takes."""
    return _flag(option.names[0]) + (f" Ar {_text(option.value)}" if option.value else "")


def _flag(name: str) -> str:
    return f"Fl {_text(name.removeprefix('-'))}"


def _option(option: Option) -> tuple[str, str]:
    further = "".join(f" , {_flag(name)}" for name in option.names[1:])
    return _names(option) + further, option.about


def _argument(argument: Argument) -> tuple[str, str]:
    return f"Ar {_text(argument.name)}", argument.about


def _command(command: Command) -> tuple[str, str]:
    return f"Cm {' '.join(command.words[1:])}", command.summary


def _list(intro: str, items: Iterable[tuple[str, str]]) -> Iterator[str]:
    found = list(items)
    if found:
        yield from (".Pp", intro, ".Bl -tag -width Ds")
        for head, about in found:
            yield from (f".It {head}", *_sentences(about))
        yield ".El"


def _section(title: str, items: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f".Sh {title}", ".Bl -tag -width Ds")
    for head, about in items:
        yield from (f".It {head}", *_sentences(about))
    yield ".El"


def _examples(command: Command) -> Iterator[str]:
    examples = EXAMPLES.get(command.title, ())
    if examples:
        yield ".Sh EXAMPLES"
    for number, (about, lines) in enumerate(examples):
        yield from ([".Pp"] if number else [])
        yield from (*_sentences(about), ".Bd -literal -offset indent", *map(_text, lines.split("\n")), ".Ed")


def _see_also(command: Command, program: Command) -> Iterator[str]:
    """The others, in the order of the alphabet, with commas between."""
    names = sorted(one.page for one in program.walk() if one is not command and (one is program or not one.commands))
    for name in names:
        yield f".Xr {name} {SECTION}{'' if name == names[-1] else ' ,'}"


def _paragraphs(paragraphs: Iterable[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        yield from ([".Pp"] if number else [])
        yield from _sentences(paragraph)


def _sentences(text: str) -> Iterator[str]:
    """Each begins a line, as mdoc wants it."""
    for sentence in text.replace(". ", ".\n").split("\n"):
        yield from map(_text, textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False))


def _lowered(summary: str) -> str:
    return summary[:1].lower() + summary[1:]


def _text(text: str) -> str:
    """*text* as it is to be read: nothing in it is a request, a macro or an escape."""
    escaped = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")
    )
    escaped = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
