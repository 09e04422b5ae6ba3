"""The installed command looks after copies and primaries of the sample Dataverse, and makes good what was damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from dataverse_backup.cli.exit_codes import ExitCode
from tests.acceptance.small import small_file, small_files

if TYPE_CHECKING:
    import subprocess

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation


def answers(answer: subprocess.CompletedProcess[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The findings of ``--json``, and what came of the one place that was looked at."""
    *findings, ended = map(json.loads, answer.stdout.splitlines())
    return findings, ended


def verdicts(answer: subprocess.CompletedProcess[str]) -> dict[int, str]:
    return {one["datafile_id"]: one["verdict"] for one in answers(answer)[0]}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_planted_damage_is_found_alone_and_made_good(installation: Installation) -> None:
    """Every awkward kind of datafile; what could not be backed up in the first place is no finding of an audit."""
    installation.run("backup")
    clean = installation.run("audit", "--all", "--json")
    assert clean.returncode == ExitCode.OK, clean.stderr
    findings, ended = answers(clean)
    status = installation.status()
    assert (findings, ended["verdicts"]["intact"]) == ([], status["OK"] + status["companions"]["OK"])

    copied = [line for line in installation.listed("--status", "OK") if line["size"] > 10]
    missing, flipped, cut, emptied, one, two = copied[:6]
    paths = {line["datafile_id"]: installation.backup / line["key"] for line in copied[:6]}
    good = {number: path.read_bytes() for number, path in paths.items()}
    paths[missing["datafile_id"]].unlink()
    flip(paths[flipped["datafile_id"]])
    os.truncate(paths[cut["datafile_id"]], 5)
    os.truncate(paths[emptied["datafile_id"]], 0)
    paths[one["datafile_id"]].write_bytes(good[two["datafile_id"]])
    paths[two["datafile_id"]].write_bytes(good[one["datafile_id"]])

    found = installation.run("audit", "--all", "--json")
    assert found.returncode == ExitCode.DAMAGE
    expected = dict.fromkeys(paths, "copy-altered") | {missing["datafile_id"]: "copy-missing"}
    assert verdicts(found) == expected
    assert {line["datafile_id"]: line["verdict"] for line in installation.listed("--verdict", "copy-missing")} == {
        missing["datafile_id"]: "copy-missing"
    }
    explained = installation.run("explain", str(flipped["datafile_id"])).stdout
    assert "copy-altered" in explained
    assert "repair" in explained

    repaired = installation.run("repair")
    assert repaired.returncode == ExitCode.OK, repaired.stdout + repaired.stderr
    assert {number: path.read_bytes() for number, path in paths.items()} == good
    aside = [path for path in (installation.backup / ".superseded").rglob("*") if path.is_file()]
    assert len(aside) == 5
    assert installation.run("audit", "--all", "--quiet").returncode == ExitCode.OK


def test_files_of_dataverse_that_rotted_are_found_and_written_back_when_that_is_ordered(small: Small) -> None:
    site = small([small_file(), small_file(), small_file(), *small_files(3)])
    assert site.run("backup").returncode == ExitCode.OK
    rotten, lost, suspect, *_ = site.listed()
    store = site.sample.stores["file"]
    paths = [Path(store) / line["key"] for line in (rotten, lost)]
    good = [path.read_bytes() for path in paths]
    flip(paths[0])
    paths[0].chmod(0o604)
    paths[1].unlink()
    with psycopg.connect(site.dsn) as connection:
        connection.execute("UPDATE datafile SET checksumvalue = md5('x') WHERE id = %s", [suspect["datafile_id"]])

    found = site.run("audit", "--stores", "--json")
    assert found.returncode == ExitCode.DAMAGE
    assert verdicts(found) == {
        rotten["datafile_id"]: "primary-altered",
        lost["datafile_id"]: "primary-missing",
        suspect["datafile_id"]: "checksum-suspect",
    }
    order = [
        "repair",
        "--stores",
        *(part for line in (rotten, lost, suspect) for part in ("--file", str(line["datafile_id"]))),
    ]
    shown = site.run(*order)
    assert shown.returncode == ExitCode.FAILURES  # one of them nothing can be done about
    assert "--yes writes 2 back" in shown.stdout
    assert not paths[1].exists()

    done = site.run(*order, "--yes")
    assert done.stdout.count("written back and proven") == 2
    assert [path.read_bytes() for path in paths] == good
    assert paths[0].stat().st_mode & 0o777 == 0o604
    (aside,) = paths[0].parent.glob(f"{paths[0].name}.damaged-*")
    assert aside.read_bytes() != good[0]
    again = site.run("audit", "--stores", "--all", "--json")
    assert verdicts(again) == {suspect["datafile_id"]: "checksum-suspect"}


def test_a_disk_that_is_not_mounted_is_no_damage(small: Small) -> None:
    site = small(small_files(3))
    site.run("backup")
    site.backup.rename(site.backup.with_name("elsewhere"))
    site.backup.mkdir()
    answer = site.run("audit", "--all")
    assert answer.returncode == ExitCode.COULD_NOT_RUN
    assert "is its disk mounted" in answer.stderr
    assert {line["status"] for line in site.listed()} == {"OK"}
    store = Path(site.sample.stores["file"])
    store.rename(store.with_name("away"))
    answer = site.run("audit", "--stores")
    assert answer.returncode == ExitCode.FAILURES
    assert "cannot be read" in answer.stderr
    assert site.listed("--verdict", "primary-missing") == []
