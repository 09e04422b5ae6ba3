"""The machine that something was measured on, in words."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contender import found

if TYPE_CHECKING:
    from collections.abc import Sequence

GIBIBYTE = 1 << 30

_PROGRAMS: dict[str, Sequence[str]] = {
    "OpenSSH": ("ssh", "-V"),
    "rsync": ("rsync", "--version"),
    "restic": ("restic", "version"),
    "rclone": ("rclone", "version"),
    "GNU tar": ("tar", "--version"),
    "SeaweedFS": ("weed", "version"),
}
_PACKAGES = ("asyncssh", "boto3", "paramiko")
_NUMBER = re.compile(r"\d+(\.\d+)+(p\d+)?")


def machine(folder: Path) -> str:
    """What everything ran on; *folder* is on the disk that was used."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} processors, {memory:.0f} GiB; "
        f"{system}, Linux {platform.release()}; {_file_system(folder)}; everybody and every server on this one machine"
    )


def versions() -> str:
    """The programs that took part."""
    told = {"Python": platform.python_version()}
    told |= {name: number for name, command in _PROGRAMS.items() if (number := _version(command))}
    told |= {name: version(name) for name in _PACKAGES}
    return ", ".join(f"{name} {number}" for name, number in told.items())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that *folder* is on: of its mounts, the one with the longest path."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(path, kind) for path, kind in mounts if folder.resolve().is_relative_to(path)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def _version(command: Sequence[str]) -> str | None:
    program = found(command[0])
    if program is None:
        return None
    answer = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=30, check=False)
    number = _NUMBER.search(answer.stdout + answer.stderr)
    return number[0] if number else None
