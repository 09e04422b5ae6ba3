"""The command line as typer knows it, in the words that manual pages and the reference need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from dataverse_backup.cli.application import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "dataverse-backup"


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its names, long ones first, what it takes, what it does."""

    names: tuple[str, ...]
    value: str
    """Empty for a flag."""
    about: str
    is_repeatable: bool


@dataclass(frozen=True, slots=True)
class Argument:
    """What stands on its own."""

    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Command:
    """The program itself, a command, or a group of commands."""

    words: tuple[str, ...]
    """The program, and the words of the command."""
    summary: str
    further: tuple[str, ...]
    """Paragraphs."""
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    commands: tuple[Command, ...]
    """Only of the program and of groups."""

    @property
    def title(self) -> str:
        """As it is typed."""
        return " ".join(self.words)

    @property
    def page(self) -> str:
        """The name of its manual page."""
        return "-".join(self.words)

    def walk(self) -> Iterator[Command]:
        """This one, and all below."""
        yield self
        for command in self.commands:
            yield from command.walk()


def command_line() -> Command:
    """All of it."""
    return _command(typer.main.get_command(app), (PROGRAM,))


def _command(command: object, words: tuple[str, ...]) -> Command:
    if not isinstance(command, (TyperGroup, typer.core.TyperCommand)):
        raise TypeError(f"{' '.join(words)} is no command of typer")
    context = typer.Context(command, info_name=words[-1])
    summary, *further = [" ".join(part.split()) for part in re.split(r"\n\s*\n", command.help or "")]
    below = command.commands if isinstance(command, TyperGroup) else {}
    return Command(
        words,
        summary,
        tuple(further),
        tuple(_argument(one) for one in command.params if isinstance(one, TyperArgument)),
        tuple(_option(one, context) for one in command.params if isinstance(one, TyperOption) and not one.hidden),
        tuple(_command(one, (*words, name)) for name, one in below.items()),
    )


def _argument(argument: TyperArgument) -> Argument:
    return Argument(argument.metavar or argument.name.upper(), argument.help or "")


def _option(option: TyperOption, context: typer.Context) -> Option:
    record = option.get_help_record(context)
    about = record[1] if record else ""
    value = "" if option.is_flag else option.metavar or option.display_type(context).strip("<>")
    names = tuple(sorted(option.opts, key=len, reverse=True))
    return Option(names, value, about, option.multiple)
