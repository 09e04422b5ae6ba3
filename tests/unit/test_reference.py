"""What is generated from the code is as new as the code, and its readers find nothing wrong with it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from dataverse_backup.cli.application import app
from dataverse_backup.errors import Reason
from reference.command_line import PROGRAM, command_line
from reference.files import CHECKOUT, COMPLETION, MANUAL, PAGES, SHELLS, generated
from reference.manual import page
from reference.pages import reasons
from reference.surroundings import EXAMPLES
from tests.servers import unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

TELL = "run: scripts/docs --write"
COMMANDS = Path(sys.executable).parent


def test_every_generated_file_is_as_new_as_the_code() -> None:
    old = [
        str(path.relative_to(CHECKOUT))
        for path, text in generated().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    if old:
        pytest.fail(f"{TELL} (not as the code has it: {', '.join(old)})", pytrace=False)


def test_nothing_is_left_of_commands_that_are_no_more() -> None:
    lying = {path for folder in (MANUAL, COMPLETION) for path in folder.iterdir()}
    assert lying <= set(generated()), TELL


def test_mandoc_finds_nothing_wrong_with_the_manual_pages() -> None:
    mandoc = shutil.which("mandoc") or unavailable("no mandoc here; on Debian: apt-get install mandoc")
    pages = sorted(MANUAL.iterdir())
    judged = subprocess.run(
        [mandoc, "-Tlint", "-Wwarning", *pages], capture_output=True, text=True, timeout=60, check=False
    )
    assert (judged.stdout, judged.stderr, judged.returncode) == ("", "", 0)


def test_a_manual_page_shows_every_option_and_whatever_is_in_a_text() -> None:
    mandoc = shutil.which("mandoc") or unavailable("no mandoc here; on Debian: apt-get install mandoc")
    program = command_line()
    for command in program.walk():
        shown = subprocess.run(
            [mandoc, "-Tutf8", "-Owidth=400"], input=page(command, program).encode(), capture_output=True, check=True
        )
        text = " ".join(re.sub(r".\x08", "", shown.stdout.decode()).split())
        assert command.summary in text
        for option in command.options:
            assert " ".join([option.names[0], option.value]).strip() in text
            assert " ".join(option.about.split()) in text


def test_every_example_is_a_command_with_options_that_it_has() -> None:
    known = {command.title for command in command_line().walk()}
    assert set(EXAMPLES) <= known
    for line in example_lines():
        words = shlex.split(line.partition(">")[0])
        assert words[0] == PROGRAM
        answer = CliRunner().invoke(app, [*words[1:], "--help"])
        assert answer.exit_code == 0, f"{line}: {answer.output}"


def example_lines() -> Iterator[str]:
    for examples in EXAMPLES.values():
        for _, lines in examples:
            yield from lines.split("\n")


def test_every_reason_is_on_its_page() -> None:
    text = reasons()
    assert [reason for reason in Reason if f"| `{reason}` |" not in text] == []
    assert "## FAIL_READ" in text
    assert text.count("| `unreachable` |") == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_the_completion_of_each_shell_parses(shell: str) -> None:
    found = shutil.which(shell) or unavailable(f"no {shell} here; on Debian: apt-get install {shell}")
    subprocess.run([found, "-n", COMPLETION / SHELLS[shell]], check=True, timeout=60)


ASK = {
    "bash": "source {script}; COMP_WORDS=(dataverse-backup expl); COMP_CWORD=1; "
    '_dataverse_backup_completion dataverse-backup; echo "${{COMPREPLY[@]}}"',
    "fish": 'source {script}; complete -C "dataverse-backup expl"',
}
"""How to press the key without a keyboard; zsh needs one."""


@pytest.mark.parametrize("shell", ASK)
def test_a_command_is_completed(shell: str) -> None:
    found = shutil.which(shell) or unavailable(f"no {shell} here; on Debian: apt-get install {shell}")
    answer = subprocess.run(
        [found, "-c", ASK[shell].format(script=COMPLETION / SHELLS[shell])],
        env={**os.environ, "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout.split()[0] == "explain"


def test_the_pages_are_where_people_look_for_them() -> None:
    assert {path.name for path in PAGES.iterdir()} >= {"command-line.md", "configuration.md", "exit-codes.md"}
