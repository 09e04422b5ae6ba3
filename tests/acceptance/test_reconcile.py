"""The installed command says what lies in stores and destinations that nothing knows, and what is lost."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from dataverse_backup.cli.exit_codes import ExitCode
from tests.acceptance.small import small_files

if TYPE_CHECKING:
    import subprocess

    from tests.acceptance.conftest import Small

A_YEAR_AGO = 1_700_000_000


def found(answer: subprocess.CompletedProcess[str], presence: str) -> dict[str, str]:
    """Key of each finding, with its reason."""
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    return {one["key"]: one["reason"] for one in lines if one.get("presence") == presence}


def test_what_is_dark_and_what_is_lost_is_found_alone_and_nothing_is_changed(small: Small) -> None:
    site = small(small_files(6))
    assert site.run("backup").returncode == ExitCode.OK
    in_store, at_destination, *_ = (line["key"] for line in site.listed())
    store, folder = site.sample.stores["file"], in_store.rpartition("/")[0]
    draft = f"{folder}/18b00000000-000000000000"
    for name in (draft, f"{folder}/export_ddi.cached"):
        (store / name).write_bytes(b"of a deleted draft")
        os.utime(store / name, (A_YEAR_AGO, A_YEAR_AGO))
    (store / in_store).unlink()
    (site.backup / at_destination).unlink()
    (site.backup / "holiday.jpg").write_bytes(b"nothing of ours")
    everything = {path for place in (store, site.backup) for path in place.rglob("*")}

    answer = site.run("reconcile", "--json", "--beside")
    assert answer.returncode == ExitCode.DAMAGE, answer.stderr
    assert found(answer, "dark") == {draft: "no-datafile", "holiday.jpg": "no-copy"}
    assert found(answer, "lost") == {in_store: "missing", at_destination: "missing"}
    assert found(answer, "beside").items() >= {f"{folder}/export_ddi.cached": "export", "README.txt": "notes"}.items()

    told = site.run("reconcile", "--destination", "default")
    assert told.returncode == ExitCode.DAMAGE
    assert told.stdout.startswith(f"lost missing  {at_destination}  (default, datafile ")
    assert "default: damage" in told.stdout
    assert "store" not in told.stdout
    assert {path for place in (store, site.backup) for path in place.rglob("*")} == everything
