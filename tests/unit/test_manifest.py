"""What lies beside the copies: lists that plain tools check, and a manifest that is hostile until it was read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.actions.manifests import write_manifests
from dataverse_backup.datafile import Dataset
from dataverse_backup.destinations.base import OWN_PREFIX, README_KEY, VERIFY_KEY, Failure, Staging, note_key
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.destinations.memory import Faults, MemoryDestination
from dataverse_backup.engine import Stop
from dataverse_backup.errors import KeyOccupied, ManifestError
from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.generations import Generation
from dataverse_backup.ledger.base import Kept, Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.manifest import MANIFEST, SUMS, folder_of, notes_of, parse
from tests.contract.ledger_cases import HERE, NOON, copied, datafile, key_of, recorded, succeeded
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DATASET = "10.5072/FK2/ABCDEF"
NAMES = [
    "18b-1",
    "a b.txt",
    "-rf",
    "back\\slash",
    "line\nbreak",
    "cr\rhere",
    "tr\r",
    "é ü",
    " lead",
    "trail ",
    "sub/x",
    "*",
    "$(x)",
]


def kept(
    number: int, name: str = "", data: bytes = b"data", algorithm: Algorithm = Algorithm.MD5, **changes: Any
) -> Kept:
    location = name or f"18b-{number}"
    checksum = checksum_of(data, algorithm)
    file = datafile(number, storageidentifier=f"file://{location}", checksum=checksum, **changes)
    return Kept(
        file, HERE, Status.PENDING, replace(copied(file), size=len(data), checksum=checksum, registered=checksum)
    )


def planted(root: Path, copies: Sequence[Kept], data: bytes = b"data") -> Path:
    """A destination with these copies, all of the same bytes, that explains itself."""
    ledger = MemoryLedger()
    for one in copies:
        path = root / one.copy.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        recorded(ledger, replace(succeeded(one.datafile), copy=one.copy, key=one.copy.key))
    with FilesystemDestination(HERE, root, Staging("ledger", "run")) as destination:
        destination.connect()
        assert write_manifests(ledger, destination, Stop()) == []
    return root


def run(folder: Path, *command: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path or os.environ["PATH"]}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, env=environment)


def shells() -> list[list[str]]:
    found = [["sh"], ["dash"], ["bash"], ["busybox", "sh"]]
    return [shell for shell in found if shutil.which(shell[0])]


# Lists that plain tools check


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_tool_of_each_algorithm_checks_its_list(tmp_path: Path, algorithm: Algorithm) -> None:
    copies = [kept(n, name, algorithm=algorithm) for n, name in enumerate(NAMES) if "\r" not in name]
    root = planted(tmp_path, copies)
    tool = SUMS[algorithm]
    answer = run(root / DATASET, tool, "--strict", "-c", f"{OWN_PREFIX}/{tool}.txt")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (root / DATASET / "18b-1").write_bytes(b"dat4")
    assert run(root / DATASET, tool, "-c", f"{OWN_PREFIX}/{tool}.txt").returncode == 1


@pytest.mark.parametrize("shell", shells(), ids=" ".join)
def test_the_script_checks_every_dataset_whatever_the_names_are(tmp_path: Path, shell: list[str]) -> None:
    other = Dataset("hdl:1902.1/5", "1902.1", "5")
    copies = [kept(n, name) for n, name in enumerate(NAMES)]
    root = planted(tmp_path, [*copies, kept(99, "z", algorithm=Algorithm.SHA512, dataset=other)])
    answer = run(root, *shell, VERIFY_KEY)
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
    assert f"{len(NAMES) + 1} files in 2 lists: all are right" in answer.stdout


@pytest.mark.parametrize("shell", shells(), ids=" ".join)
@pytest.mark.parametrize("name", ["18b-1", "back\\slash", "line\nbreak"])
def test_the_script_names_what_differs_and_what_is_missing(tmp_path: Path, shell: list[str], name: str) -> None:
    root = planted(tmp_path, [kept(1, name), kept(2, "gone"), kept(3, "right")])
    (root / DATASET / name).write_bytes(b"dat4")
    (root / DATASET / "gone").unlink()
    answer = run(root, *shell, VERIFY_KEY)
    assert answer.returncode == 1
    assert f"{DATASET}/{name}: DIFFERS" in answer.stdout
    assert f"{DATASET}/gone: MISSING" in answer.stdout
    assert "right: " not in answer.stdout


@pytest.mark.parametrize("shell", shells(), ids=" ".join)
def test_the_script_compares_dumps_of_the_database_with_their_names(tmp_path: Path, shell: list[str]) -> None:
    root = planted(tmp_path, [kept(1)])
    dumps = [Generation.of(NOON, Checksum.of(data, Algorithm.SHA256)) for data in (b"dump", b"other")]
    for dump in dumps:
        (root / dump.key).parent.mkdir(exist_ok=True)
        (root / dump.key).write_bytes(b"dump")
    answer = run(root, *shell, VERIFY_KEY)
    assert (answer.returncode, answer.stderr) == (1, "")
    assert answer.stdout.splitlines()[0] == f"{dumps[1].key}: DIFFERS"
    assert run(root, *shell, VERIFY_KEY, DATASET).returncode == 0
    (root / dumps[1].key).write_bytes(b"other")
    assert "1 files in 1 lists and 2 dump(s) of the database: all are right" in run(root, *shell, VERIFY_KEY).stdout


def test_the_script_checks_one_dataset_where_that_is_asked_for(tmp_path: Path) -> None:
    other = Dataset("hdl:1902.1/5", "1902.1", "5")
    root = planted(tmp_path, [kept(1), kept(2, dataset=other)])
    (root / "1902.1/5/18b-2").write_bytes(b"dat4")
    assert run(root, "sh", VERIFY_KEY, DATASET).returncode == 0
    assert run(root, "sh", VERIFY_KEY, "1902.1/5").returncode == 1
    assert run(tmp_path.parent, "sh", str(root / VERIFY_KEY)).returncode == 1


def test_the_script_says_where_there_is_nothing_to_check(tmp_path: Path) -> None:
    root = planted(tmp_path, [kept(1)])
    shutil.rmtree(root / DATASET)
    answer = run(root, "sh", VERIFY_KEY)
    assert (answer.returncode, "no lists" in answer.stderr) == (2, True)


def test_the_script_does_without_the_tools_of_coreutils(tmp_path: Path) -> None:
    root = planted(tmp_path / "root", [kept(1), kept(2, "back\\slash", algorithm=Algorithm.SHA256)])
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "mktemp", "rm", "find", "grep", "sed", "cat", "wc", "openssl"):
        (tools / name).symlink_to(str(shutil.which(name)))
    assert run(root, "sh", VERIFY_KEY, path=str(tools)).returncode == 0
    (root / DATASET / "18b-1").write_bytes(b"dat4")
    assert "18b-1: DIFFERS" in run(root, "sh", VERIFY_KEY, path=str(tools)).stdout


# The manifest


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_a_manifest_gives_back_what_went_in(labels: list[str]) -> None:
    copies = [kept(n, label=label, is_tabular=n % 2 == 0) for n, label in enumerate(labels, 1)]
    data = notes_of(copies, "ledger")[note_key(DATASET, MANIFEST)]
    found = parse(data or b"", DATASET, HERE)
    assert (found.kept, found.complaints) == (tuple(copies), ())


def test_a_copy_that_lies_outside_of_its_dataset_has_a_manifest_where_it_lies() -> None:
    file = kept(7)
    file = replace(file, copy=replace(file.copy, key="10.5072/FK2/ABCDEF.datafile-7/18b-7"))
    assert folder_of(file) == "10.5072/FK2/ABCDEF.datafile-7"
    assert set(notes_of([file, kept(8)], "ledger")) >= {
        note_key("10.5072/FK2/ABCDEF.datafile-7", MANIFEST),
        note_key(DATASET, MANIFEST),
    }


def written(*copies: Kept) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(notes_of(copies, "ledger")[note_key(DATASET, MANIFEST)] or b"")
    return found


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff", b'{"format": 1}', b"[" * 100_000], ids=lambda data: repr(data[:9])
)
def test_what_is_no_manifest_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ManifestError):
        parse(data, DATASET, HERE)


def test_a_manifest_of_another_dataset_is_not_used() -> None:
    data = notes_of([kept(1)], "ledger")[note_key(DATASET, MANIFEST)] or b""
    with pytest.raises(ManifestError, match="of another dataset"):
        parse(data, "10.5072/FK2/OTHER", HERE)


def test_a_manifest_that_was_edited_says_so() -> None:
    data = (notes_of([kept(1)], "ledger")[note_key(DATASET, MANIFEST)] or b"").replace(b"data 1.txt", b"data 2.txt")
    assert parse(data, DATASET, HERE).complaints == ("it was edited since it was written",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "../../etc/passwd"),
        ("key", "/etc/passwd"),
        ("key", "10.5072/FK2/OTHER/x"),
        ("key", f"{DATASET}/{OWN_PREFIX}/manifest.json"),
        ("key", 7),
        ("key", "nul\0"),
        ("size", -1),
        ("size", "1"),
        ("size", 2**70),
        ("size", True),
        ("datafile_id", None),
        ("checksum", "MD5:zz"),
        ("checksum", None),
        ("proven", "yesterday"),
        ("proven", "2026-01-01T00:00:00"),
        ("verified_by", "hope"),
        ("label", ["x"]),
    ],
)
def test_a_hostile_entry_is_left_out_and_named_and_the_others_are_used(field: str, value: object) -> None:
    manifest = written(kept(1), kept(2))
    manifest["files"][0][field] = value
    found = parse(json.dumps(manifest).encode(), DATASET, HERE)
    assert [one.datafile.id for one in found.kept] == [2]
    assert any("its entry 1 cannot be used" in complaint for complaint in found.complaints)


# When they are written


def test_only_manifests_of_what_changed_are_written_and_a_failed_one_is_tried_again() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination(HERE)
    recorded(ledger, succeeded(datafile(1)))
    destination.faults = Faults(refuses=[note_key(DATASET, MANIFEST)])
    assert len(write_manifests(ledger, destination, Stop())) == 1
    destination.faults = Faults()
    assert write_manifests(ledger, destination, Stop()) == []
    assert note_key(DATASET, MANIFEST) in destination.objects
    destination.objects.clear()
    assert write_manifests(ledger, destination, Stop()) == []
    assert destination.objects == {}
    ledger.note(HERE, refreshed=[datafile(1, label="new")])
    assert write_manifests(ledger, destination, Stop()) == []
    assert b'"label": "new"' in destination.objects[note_key(DATASET, MANIFEST)]


def test_a_list_that_is_not_needed_any_more_is_taken_away() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination(HERE)
    for algorithm in (Algorithm.MD5, Algorithm.SHA256):
        one = kept(1, algorithm=algorithm)
        recorded(ledger, replace(succeeded(one.datafile), copy=one.copy, key=key_of(one.datafile)))
        write_manifests(ledger, destination, Stop())
    assert note_key(DATASET, "sha256sum.txt") in destination.objects
    assert note_key(DATASET, "md5sum.txt") not in destination.objects


class _WithFolder(MemoryDestination):
    """Has a folder where our README would lie."""

    def write_notes(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        done = super().write_notes({key: data for key, data in notes.items() if key != README_KEY})
        return [*done, Failure(README_KEY, KeyOccupied(HERE, README_KEY, "what lies there is not a file"))]


def test_what_is_no_file_and_lies_where_our_readme_would_stays_and_is_no_failure() -> None:
    ledger, destination = MemoryLedger(), _WithFolder(HERE)
    recorded(ledger, succeeded(datafile(1)))
    assert write_manifests(ledger, destination, Stop()) == []
    assert VERIFY_KEY in destination.objects


def test_somebody_elses_readme_stays() -> None:
    ledger, destination = MemoryLedger(), MemoryDestination(HERE, objects={README_KEY: b"Our tapes. Call Eve."})
    recorded(ledger, succeeded(datafile(1)))
    assert write_manifests(ledger, destination, Stop()) == []
    assert destination.objects[README_KEY] == b"Our tapes. Call Eve."
    assert VERIFY_KEY in destination.objects
