"""The ssh_config language: which directives of which files apply to a host, in the order in which they count.

OpenSSH's rules: the first value wins; ``Host`` and ``Match`` begin a block that ends with the next one; ``Include``
stands for the text of other files; a ``Match final`` or ``Match canonical`` makes a second pass over everything.
"""

from __future__ import annotations

import getpass
import re
import subprocess
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WORD = re.compile(r"""(?:"((?:\\.|[^"\\])*)"|'([^']*)'|((?:\\.|[^\s"'\\])+))""")
RAW = frozenset({"proxycommand", "knownhostscommand", "remotecommand", "localcommand"})
"""Directives whose value is the rest of the line, quotes and all."""
_MAX_DEPTH = 16  # OpenSSH's own limit for files that include files


@dataclass(frozen=True, slots=True)
class Directive:
    """One line of a file that applies to the host."""

    keyword: str
    """In lower case."""
    arguments: tuple[str, ...]
    path: Path
    line: int

    @property
    def place(self) -> str:
        """File and line, for people."""
        return f"{self.path}, line {self.line}"


@dataclass(slots=True)
class Target:
    """What ``Host`` and ``Match`` compare with; grows as directives apply."""

    original_host: str
    """As the administrator wrote it."""
    user: str | None = None
    hostname: str | None = None
    final: bool = False
    """Whether this is the second pass."""
    wants_final: bool = False
    """Whether a ``Match final`` was met: it asks for the second pass."""

    @property
    def host(self) -> str:
        """The name that would be connected to."""
        return self.hostname or self.original_host

    def note(self, directive: Directive) -> None:
        """Take over what later blocks are matched against; the first value wins."""
        if directive.keyword == "hostname" and self.hostname is None:
            self.hostname = directive.arguments[0].replace("%h", self.original_host).replace("%%", "%")
        elif directive.keyword == "user" and self.user is None:
            self.user = directive.arguments[0]


def applying_directives(files: Sequence[tuple[Path, Path]], target: Target) -> Iterator[Directive]:
    """The directives of *files* for *target*, both passes; files that do not exist have none.

    Each file comes with the folder that its relative includes start from. Raises ConfigurationError for a file that
    cannot be read or a line that cannot be understood.
    """
    for path, folder in files:
        yield from _Reader(target, folder).read(path)
    if target.wants_final and not target.final:
        target.final = True
        yield from applying_directives(files, target)


@dataclass(slots=True)
class _Reader:
    target: Target
    folder: Path
    depth: int = field(default=0)

    def read(self, path: Path) -> Iterator[Directive]:
        if self.depth > _MAX_DEPTH:
            raise ConfigurationError(f"{path}: too many files include each other")
        applies = True
        for number, line in enumerate(_text(path).splitlines(), start=1):
            directive = _parsed(line, path, number)
            if directive is None:
                continue
            if directive.keyword == "host":
                applies = _matches_patterns(self._host_to_match(), directive.arguments)
            elif directive.keyword == "match":
                applies = _matches_criteria(directive, self.target)
            elif applies and directive.keyword == "include":
                yield from self._included(directive)
            elif applies:
                self.target.note(directive)
                yield directive

    def _host_to_match(self) -> str:
        return self.target.host if self.target.final else self.target.original_host

    def _included(self, directive: Directive) -> Iterator[Directive]:
        inner = _Reader(self.target, self.folder, self.depth + 1)
        for pattern in directive.arguments:
            path = Path(pattern).expanduser()
            base, relative = (Path("/"), path.relative_to("/")) if path.is_absolute() else (self.folder, path)
            for included in sorted(base.glob(str(relative))):
                yield from inner.read(included)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _parsed(line: str, path: Path, number: int) -> Directive | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    keyword, _, rest = re.sub(r"^([^\s=]+)(?:\s*=\s*|\s+)", r"\1\0", text, count=1).partition("\0")
    keyword = keyword.lower()
    arguments = (rest,) if keyword in RAW else _words(rest)
    if not arguments or not rest:
        raise ConfigurationError(f"{path}, line {number}: {keyword} has no value")
    return Directive(keyword, arguments, path, number)


def _words(text: str) -> tuple[str, ...]:
    found = []
    for quoted, single, plain in _WORD.findall(text):
        if plain.startswith("#"):
            break
        found.append(re.sub(r"\\([\"'\\ ])", r"\1", quoted or plain) or single)
    return tuple(found)


def matches_pattern_list(name: str, patterns: Iterable[str]) -> bool:
    """Whether *name* matches one of *patterns* (``*``, ``?``) and none of those with a ``!`` before them."""
    found = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if fnmatchcase(name.lower(), pattern.lstrip("!").lower().replace("[", "[[]")):
            if negated:
                return False
            found = True
    return found


_matches_patterns = matches_pattern_list


def _matches_criteria(directive: Directive, target: Target) -> bool:
    """Whether every criterion of a ``Match`` line holds; raises ConfigurationError for those we cannot judge."""
    words = list(directive.arguments)
    result = True
    while words:
        word, _, attached = words.pop(0).partition("=")
        negated, name = word.startswith("!"), word.lstrip("!").lower()
        if name == "all":
            holds = True
        elif name in ("final", "canonical"):
            target.wants_final = target.wants_final or name == "final"
            holds = target.final
        else:
            value = attached or (words.pop(0) if words else "")
            holds = result and _criterion_holds(name, value, directive, target)
        result = result and holds != negated
    return result


def _criterion_holds(name: str, value: str, directive: Directive, target: Target) -> bool:
    if name == "exec":
        if "%" in value:  # asyncssh would run it as it is written
            raise ConfigurationError(f"{directive.place}: 'Match exec' with % tokens cannot be judged here")
        return _succeeds(value)
    subjects = {
        "host": target.host,
        "originalhost": target.original_host,
        "user": target.user or getpass.getuser(),
        "localuser": getpass.getuser(),
    }
    if name not in subjects:
        raise ConfigurationError(
            f"{directive.place}: 'Match {name}' cannot be judged here",
            "use Match host, originalhost, user, localuser, exec or final; or name another file as SshConfigFile",
        )
    return matches_pattern_list(subjects[name], value.split(","))


def _succeeds(command: str) -> bool:
    """Run the command of ``Match exec``: the administrator's own, as ``ssh`` runs it."""
    finished = subprocess.run(  # noqa: S602 -- the text is the administrator's, and a shell is what ssh_config(5) says
        command, shell=True, check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    return finished.returncode == 0
