"""The pages of the report as files: nothing hostile gets through, and nothing half-written is seen."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import threading
import time
from html.parser import HTMLParser
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.actions.report import gather
from dataverse_backup.cli.reporting import _write_lists
from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import Reason, ReportError
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.drills import DrillFailure, DrillRecord
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.pages import site, write_pages
from dataverse_backup.pages.data import block
from dataverse_backup.pages.folder import publication
from tests.contract.ledger_cases import HERE, NOON, datafile, failed, recorded, succeeded
from tests.ordinary_user import open_folder, ordinary_user

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u2028\n'\"&amp;\ud800--><!--"


class _Tags(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def parsed(page: Path) -> _Tags:
    tags = _Tags()
    tags.feed(page.read_text("utf-8"))
    return tags


def hostile_ledger(text: str = HOSTILE) -> MemoryLedger:
    ledger = MemoryLedger()
    file = datafile(1, label=text, directory_label=text, storageidentifier=text, dataset=Dataset(text, text, text))
    run = ledger.begin_run("backup", text)
    ledger.record(run, [failed(file, message=text, key=text, destination=text), succeeded(datafile(2))])
    ledger.end_run(run, text)
    failures = tuple(DrillFailure(number, text, text) for number in range(5))
    ledger.record_drill(DrillRecord(run, text, NOON, 1.5, text, 7, 12_345_678, 9, text, NOON, NOON, text, failures))
    return ledger


def written(ledger: MemoryLedger, folder: Path) -> Path:
    write_pages(gather(ledger, [HERE]), ledger, folder)
    return folder


def rows_of(folder: Path, pattern: str) -> list[list[object]]:
    """What the browser gets of the files of data."""
    texts = [path.read_text("ascii") for path in sorted(folder.glob(pattern))]
    return [row for text in texts for row in json.loads(text.removeprefix("report.add(").removesuffix(");\n"))]


@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_text_can_end_the_block_that_it_is_in(value: object) -> None:
    text = block(value)
    assert text.isascii()
    assert text.isprintable()
    assert not set("<>&'") & set(text)
    json.loads(text)


def test_a_hostile_name_makes_no_element_in_any_page(tmp_path: Path) -> None:
    for name, text in (("hostile", HOSTILE), ("harmless", "a")):
        (tmp_path / name).mkdir()
        written(hostile_ledger(text), tmp_path / name)
    for pages in ("index.html", "files.html", "runs/*.html"):
        (hostile,) = (tmp_path / "hostile").glob(pages)
        (harmless,) = (tmp_path / "harmless").glob(pages)
        assert parsed(hostile).tags == parsed(harmless).tags
        assert not re.search("[\u202e\u2028\ud800]", hostile.read_text("utf-8"))


def test_no_page_names_an_address_outside_of_the_folder(tmp_path: Path) -> None:
    for page in written(hostile_ledger(), tmp_path).rglob("*.html"):
        for address in parsed(page).addresses:
            path, _, _ = address.partition("#")
            assert not path or (page.parent / path).is_file(), f"{page.name}: {address}"


def test_the_table_of_files_has_problems_first_and_each_file_once(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    recorded(ledger, succeeded(datafile(1)), failed(datafile(2)), failed(datafile(3), Reason.NO_SPACE))
    written(ledger, tmp_path)
    assert [(row[0], row[5], row[6]) for row in rows_of(tmp_path, "data/files-*.js")] == [
        (2, "FAIL_READ", "missing"),
        (3, "FAIL_WRITE", "no-space"),
        (1, "OK", ""),
    ]


def test_more_files_than_a_browser_holds_are_cut_after_the_problems_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "MOST_ROWS", 2)
    ledger = MemoryLedger()
    recorded(ledger, *(succeeded(datafile(number)) for number in range(1, 9)), failed(datafile(9)))
    written(ledger, tmp_path)
    assert [row[0] for row in rows_of(tmp_path, "data/files-*.js")] == [9, 1]
    assert "2 of 9 files, those with problems first" in (tmp_path / "files.html").read_text()
    (page,) = tmp_path.glob("runs/*.html")
    assert "2 of 9 attempts" in page.read_text()


def test_a_run_that_has_ended_is_written_once_and_one_that_goes_on_again(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    ended = recorded(ledger, succeeded(datafile(1)))
    ledger.end_run(ended, "ok")
    going = recorded(ledger, failed(datafile(2)))
    written(ledger, tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.glob("runs/*.html")}
    ledger.record(going, [failed(datafile(3))])
    written(ledger, tmp_path)
    changed = {path.stem for path, inode in before.items() if path.stat().st_ino != inode}
    assert changed == {going}
    assert "not ended" in (tmp_path / "runs" / f"{going}.html").read_text()


def test_former_data_stay_for_a_while_for_browsers_that_have_the_former_page(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    recorded(ledger, failed(datafile(1)))
    (former,) = written(ledger, tmp_path).glob("data/*.js")
    recorded(ledger, failed(datafile(2)))
    written(ledger, tmp_path)
    assert len(list(tmp_path.glob("data/*.js"))) == 2
    long_ago = time.time() - 7200
    os.utime(former, (long_ago, long_ago))
    written(ledger, tmp_path)
    assert not former.exists()
    assert len(list(tmp_path.glob("data/*.js"))) == 1


def test_pages_of_runs_that_are_not_shown_any_more_go_and_those_that_are_shown_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "MOST_PAGES", 2)
    ledger, runs = MemoryLedger(), []
    for number in (1, 2, 3):
        runs.append(recorded(ledger, succeeded(datafile(number))))
        ledger.end_run(runs[-1], "ok")
        written(ledger, tmp_path)
        for path in tmp_path.glob("runs/*"):
            os.utime(path, (1e9, 1e9))
    written(ledger, tmp_path)
    assert {path.name[: len(runs[0])] for path in tmp_path.glob("runs/*.js")} == set(runs[1:])
    assert {path.stem for path in tmp_path.glob("runs/*.html")} == set(runs[1:])


# The folder


def write_and_fail(folder: Path, error: Exception) -> None:
    with publication(folder) as new:
        new.write("index.html", "half")
        assert (folder / "index.html").read_text() == "former"
        raise error


def test_nothing_is_seen_before_the_end_and_nothing_at_all_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("former")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(tmp_path, ZeroDivisionError())
    assert (tmp_path / "index.html").read_text() == "former"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_former_page_and_says_so(tmp_path: Path, code: int) -> None:
    (tmp_path / "index.html").write_text("former")
    with pytest.raises(ReportError, match="full disk") as caught:
        write_and_fail(tmp_path, OSError(code, "full"))
    assert "former pages are still whole" in caught.value.hint
    assert (tmp_path / "index.html").read_text() == "former"


def test_a_folder_that_is_missing_or_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"reports does not exist"), publication(tmp_path / "reports"):
        pytest.fail("there is no folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="is no folder"), publication(tmp_path / "file"):
        pytest.fail("there is no folder")


def test_a_folder_that_may_not_be_written_is_named() -> None:
    may_not = pytest.raises(ReportError, match="may not be written")
    with open_folder() as folder, ordinary_user(), may_not, publication(folder):
        pytest.fail("this folder is not ours")


def test_two_reports_at_once_leave_pages_of_one_of_them(tmp_path: Path) -> None:
    names = [f"{number}.html" for number in range(40)]
    both = threading.Barrier(2)

    def write(text: str) -> None:
        for _ in range(5):
            with publication(tmp_path) as new:
                for name in names:
                    new.write(name, text)
                both.wait(10)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({(tmp_path / name).read_text() for name in names}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {*names, ".lock"}


def test_what_a_killed_run_left_is_removed_a_day_later(tmp_path: Path) -> None:
    (tmp_path / ".new-dead").mkdir()
    (tmp_path / ".new-alive").mkdir()
    long_ago = time.time() - 100_000
    os.utime(tmp_path / ".new-dead", (long_ago, long_ago))
    with publication(tmp_path) as new:
        new.write("index.html", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", ".new-alive", "index.html"]


def test_the_first_page_has_a_table_of_the_drills_and_what_failed_in_them(tmp_path: Path) -> None:
    page = (written(hostile_ledger("a name"), tmp_path) / "index.html").read_text("utf-8")
    table = page[page.index('<h2 id="drills">') :]
    for told in ("12.3 MB", "1.5", "8.2 MB/s", "a name", "datafile 2: <bdi>a name</bdi>", "… and 6 more"):
        assert told in table[: table.index("</section>")]
    assert 'id="drills"' not in (written(MemoryLedger(), tmp_path) / "index.html").read_text("utf-8")


def test_a_pulled_brake_is_the_first_thing_that_the_first_page_says(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    for outcome, is_told in (("ok", False), ("brake", True), ("ok", False)):
        ledger.end_run(recorded(ledger, succeeded(datafile(1))), outcome)
        page = (written(ledger, tmp_path) / "index.html").read_text("utf-8")
        assert ("The brake was pulled" in page, "--release-brake" in page) == (is_told, is_told)
        assert ("Every file is safe" in page) is not is_told
        assert gather(ledger, [HERE]).is_safe is not is_told


def test_a_report_says_what_to_do_about_each_reason(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    recorded(ledger, failed(datafile(1), Reason.NO_SPACE))
    page = (written(ledger, tmp_path) / "index.html").read_text()
    assert "make room at the destination" in page
    assert Status.FAIL_WRITE in page


def test_the_vendored_libraries_are_of_the_versions_that_are_written_down_and_have_their_licences() -> None:
    vendored = resources.files("dataverse_backup.pages") / "assets" / "vendored"
    wanted = json.loads((vendored / "package.json").read_text("utf-8"))["dependencies"]
    scripts = {"d3": "d3", "@observablehq/plot": "plot.umd", "datatables.net": "dataTables"}
    assert wanted.keys() == scripts.keys()
    for package, name in scripts.items():
        head = (vendored / f"{name}.min.js").read_text("utf-8")[:80]
        assert re.search(rf"\b[vV]?{re.escape(wanted[package])}\b", head), head
        assert "ermission" in (vendored / f"{name}.LICENSE.txt").read_text("utf-8")


# Lists


def test_lists_have_every_failure_with_its_hint_and_no_formula(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    file = datafile(1, label="=1+1", directory_label="@x", dataset=Dataset("+d", "", "a\nb"))
    run = recorded(ledger, failed(file, Reason.NO_SPACE, message='-2,"quoted"\nsecond line'), succeeded(datafile(2)))
    _write_lists(ledger, None, tmp_path)
    (row,) = csv_rows(tmp_path / "failed.csv")
    assert (row["label"], row["directory_label"], row["dataset"]) == ("'=1+1", "'@x", "'+d")
    assert row["message"].startswith("'-2,")
    assert row["hint"] == HINTS[Reason.NO_SPACE]
    assert [row["datafile_id"] for row in csv_rows(tmp_path / "copied.csv")] == ["2"]
    assert [row["datafile_id"] for row in csv_rows(tmp_path / "files.csv")] == ["1", "2"]
    _write_lists(ledger, ledger.run(run), tmp_path)
    assert [row["run"] for row in csv_rows(tmp_path / "failed.csv")] == [run]


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
