"""What an account can do, kept as text: nothing that somebody wrote into a database is ever run over there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dataverse_backup.destinations.ssh.abilities import Abilities
from dataverse_backup.destinations.ssh.shell import Shell
from dataverse_backup.fixity import Algorithm

WHERE = "me@archive:22:/backup"
SHELL = Shell("sync -f .", {Algorithm.MD5: "md5sum", Algorithm.SHA256: "openssl dgst -sha256 -r"}, has_python=True)
ABILITIES = Abilities(
    WHERE, "/backup", "SSH-2.0-OpenSSH_9.2", can_fsync=True, rename_overwrites=False, folds_case=False, shell=SHELL
)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("shell", [SHELL, None])
def test_they_come_back_as_they_were(shell: Shell | None, channels: int) -> None:
    told = Abilities(WHERE, "/backup", "server", can_fsync=False, rename_overwrites=True, folds_case=True, shell=shell)
    told = replace(told, channels=channels)
    assert Abilities.from_text(told.to_text(), WHERE) == told


def test_those_of_another_place_say_nothing() -> None:
    assert Abilities.from_text(ABILITIES.to_text(), "me@archive:22:/elsewhere") is None


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "no JSON", '{"where": "me@archive:22:/backup"}'])
def test_what_is_not_ours_says_nothing(text: str) -> None:
    assert Abilities.from_text(text, WHERE) is None


@pytest.mark.parametrize(
    "change",
    [
        {"shell": {"sync": "rm -r .", "hashes": {}, "has_python": True}},
        {"shell": {"sync": "sync", "hashes": {"MD5": "rm -r ."}, "has_python": True}},
        {"shell": {"sync": "sync", "hashes": {"MD5": "sha1sum"}, "has_python": True}},
        {"shell": {"sync": "sync", "hashes": {"CRC": "md5sum"}, "has_python": True}},
        {"shell": {"sync": "sync", "hashes": {"MD5": "md5sum"}, "has_python": "yes"}},
        {"shell": {"sync": ["sync"], "hashes": {"MD5": ["md5sum"]}, "has_python": True}},
        {"can_fsync": "yes"},
        {"channels": 0},
        {"channels": 3},
        {"channels": None},
        {"root": "backup"},
        {"root": "/backup\n/elsewhere"},
    ],
)
def test_commands_and_answers_that_are_none_of_ours_are_not_taken(change: dict[str, Any]) -> None:
    assert Abilities.from_text(json.dumps(json.loads(ABILITIES.to_text()) | change), WHERE) is None
