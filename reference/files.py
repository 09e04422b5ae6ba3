"""Which files are generated, and from what."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from dataverse_backup.cli.application import app
from dataverse_backup.config.documentation import reference as configuration
from reference import manual, pages
from reference.command_line import PROGRAM, command_line

CHECKOUT = Path(__file__).parents[1]
PAGES = CHECKOUT / "docs" / "reference"
MANUAL = CHECKOUT / "packaging" / "man"
COMPLETION = CHECKOUT / "packaging" / "completion"
VARIABLE = "_DATAVERSE_BACKUP_COMPLETE"
"""How the program is asked for them; typer derives it from the program's name."""
SHELLS = {"bash": f"{PROGRAM}.bash", "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}
"""The name of each script, as its shell looks for it."""
LOADED_OR_READ = r"""if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  \2 "$@"
else
  \1
fi"""


def generated() -> dict[Path, str]:
    """Every file that is written from the code, with its text."""
    program = command_line()
    found = {
        PAGES / "command-line.md": pages.command_line(program),
        PAGES / "configuration.md": configuration(),
        PAGES / "exit-codes.md": pages.exit_codes(),
        PAGES / "reasons.md": pages.reasons(),
    }
    for command in program.walk():
        if command is program or not command.commands:
            found[MANUAL / f"{command.page}.{manual.SECTION}"] = manual.page(command, program)
    for shell, name in SHELLS.items():
        found[COMPLETION / name] = _completion(shell)
    return found


def _completion(shell: str) -> str:
    """The script that typer makes; that for zsh completes at once, where typer's only does from the second time on."""
    answer = CliRunner().invoke(app, env={VARIABLE: f"source_{shell}"}, prog_name=PROGRAM)
    script = f"{answer.output.strip()}\n"
    return re.sub(r"^(compdef (\S+) \S+)$", LOADED_OR_READ, script, flags=re.MULTILINE) if shell == "zsh" else script
