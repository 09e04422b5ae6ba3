"""scripts/setup: what it does on machines that lack something, without a network and within a second."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
TOOLS = ("sh", "env", "dirname", "cksum", "sort", "cat", "tail", "rm", "true", "false")

OLD_PYTHON = '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n'
RECORDING_PYTHON = '#!/bin/sh\nprintf "%s\\n" "$*" >>"$RECORD"\n'


class Machine:
    """A checkout in a folder with spaces in its name, and a PATH that has a few tools and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "my checkout"
        self.programs = folder / "programs"
        self.record = folder / "record"
        (self.checkout / "scripts").mkdir(parents=True)
        self.programs.mkdir()
        for name in ("scripts/setup", "pyproject.toml", "constraints.txt"):
            shutil.copy(CHECKOUT / name, self.checkout / name)
        for tool in TOOLS:
            (self.programs / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")
        self.add(self.programs / "id", "#!/bin/sh\necho 1000\n")

    @staticmethod
    def add(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def set_up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.fspath(self.programs), "RECORD": os.fspath(self.record)}
        return subprocess.run(
            [self.checkout / "scripts/setup", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def recorded(self) -> list[str]:
        return self.record.read_text().splitlines() if self.record.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def ready_machine(machine: Machine) -> Machine:
    """A machine on which everything has been set up once."""
    machine.add(machine.checkout / ".venv/bin/python", RECORDING_PYTHON)
    stamp = "old\n" + os.fspath(machine.checkout) + "\n"
    (machine.checkout / ".venv/setup.stamp").write_text(stamp)
    assert machine.set_up("dev").returncode == 0
    machine.record.unlink()
    return machine


def test_without_the_right_to_install_the_command_that_does_is_printed(machine: Machine) -> None:
    machine.add(machine.programs / "apt-get", "#!/bin/sh\nexit 99\n")
    result = machine.set_up("dev", "sshd-of-nobody:openssh-server", "keygen-of-nobody:openssh-client")
    assert result.returncode == 1
    assert "sudo apt-get install -y --no-install-recommends openssh-client openssh-server\n" in result.stderr
    assert not (machine.checkout / ".venv").exists()


def test_without_apt_the_missing_packages_are_named(machine: Machine) -> None:
    result = machine.set_up("dev", "sshd-of-nobody:openssh-server")
    assert result.returncode == 1
    assert "package manager" in result.stderr
    assert result.stderr.endswith("openssh-server\n")


def test_a_python_that_is_too_old_is_named(machine: Machine) -> None:
    machine.add(machine.programs / "python3", OLD_PYTHON)
    result = machine.set_up("dev")
    assert result.returncode == 1
    assert "Python 3.11 or newer is needed; this is Python 3.9.2" in result.stderr


def test_an_old_python3_does_not_hide_a_newer_python_beside_it(machine: Machine) -> None:
    machine.add(machine.programs / "python3", OLD_PYTHON)
    machine.add(machine.programs / "python3.12", RECORDING_PYTHON)
    machine.set_up("dev")
    assert "-m venv .venv" in machine.recorded


def test_a_python_without_venv_names_its_package(machine: Machine) -> None:
    machine.add(machine.programs / "apt-get", "#!/bin/sh\nexit 99\n")
    machine.add(machine.programs / "python3", '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
    result = machine.set_up("demo")
    assert result.returncode == 1
    assert result.stderr.endswith("sudo apt-get install -y --no-install-recommends python3-venv\n")


def test_the_project_is_installed_editable_with_its_extra_under_the_constraints(machine: Machine) -> None:
    machine.add(machine.checkout / ".venv/bin/python", RECORDING_PYTHON)
    (machine.checkout / ".venv/setup.stamp").write_text(f"old\n{machine.checkout}\n")
    assert machine.set_up("demo").returncode == 0
    (installed,) = [line for line in machine.recorded if " pip install " in line]
    assert installed.endswith(" -c constraints.txt -e .[demo]")


def test_what_is_up_to_date_is_left_alone(ready_machine: Machine) -> None:
    result = ready_machine.set_up("dev")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert [line for line in ready_machine.recorded if "pip" in line or "venv" in line] == []


def test_what_was_set_up_for_development_will_do_for_the_demo(ready_machine: Machine) -> None:
    ready_machine.set_up("demo")
    assert [line for line in ready_machine.recorded if "pip" in line] == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_is_installed_again(ready_machine: Machine, name: str) -> None:
    with (ready_machine.checkout / name).open("a") as file:
        file.write("# changed\n")
    ready_machine.set_up("dev")
    assert any("pip install" in line for line in ready_machine.recorded)


def test_a_checkout_that_was_moved_gets_a_new_venv(ready_machine: Machine) -> None:
    ready_machine.checkout = ready_machine.checkout.rename(ready_machine.checkout.with_name("moved"))
    ready_machine.add(ready_machine.programs / "python3", RECORDING_PYTHON)
    ready_machine.set_up("dev")
    assert "-m venv .venv" in ready_machine.recorded


def test_a_failed_installation_is_told_and_tried_again(ready_machine: Machine) -> None:
    failing = '#!/bin/sh\ncase "$*" in *pip*) echo "no matching distribution"; exit 1 ;; esac\n'
    ready_machine.add(ready_machine.checkout / ".venv/bin/python", failing)
    (ready_machine.checkout / "constraints.txt").write_text("changed\n")
    result = ready_machine.set_up("dev")
    assert result.returncode == 1
    assert "no matching distribution" in result.stderr
    assert not (ready_machine.checkout / ".venv/setup.stamp").exists()
