"""The report, as somebody who opens it in a browser or asks on the command line."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.report import gather
from dataverse_backup.datafile import MAIN, Dataset
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.pages import write_pages
from demo.sample import build
from tests.acceptance.browser import browser, outside
from tests.acceptance.installation import Installation
from tests.acceptance.small import small_file
from tests.contract.ledger_cases import HERE, copied, datafile, failed, not_here, planned, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dataverse_backup.ledger.base import Attempt
    from tests.acceptance.browser import Browser
    from tests.acceptance.conftest import Small
    from tests.servers.postgresql import PostgresServer

HOSTILE = (
    "</script><script>document.title='obeyed'</script>",
    "<img src=nowhere.png onerror=\"document.title='obeyed'\">&amp;",
    "=cmd|' /C calc'!A0",
    "gnp.\u202eexe\n\ud800'\"`${document.title='obeyed'}",
    "javascript:document.title='obeyed'",
)
MANY = 100_000
PHONE = 360


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a ledger with everything in it: two destinations, failures, hostile names."""
    ledger, folder = MemoryLedger(), tmp_path_factory.mktemp("report")
    for name in (HERE, "archive"):
        run = ledger.begin_run("backup", name)
        ledger.record(run, [replace(attempt, destination=name) for attempt in _attempts()])
        ledger.end_run(run, "failures")
    ledger.note(HERE, planned=[planned(datafile(900))], not_here=[not_here(901)])
    write_pages(gather(ledger, [HERE, "archive"]), ledger, folder)
    return folder


def _attempts() -> Iterator[Attempt]:
    now = datetime.now(UTC)
    for number in range(1, 61):
        file = datafile(number, label=f"measurement {number}.csv", size=10 ** (number % 9))
        when = now - timedelta(days=number % 7)
        copy = replace(copied(file, size=file.size or 0), proven=when)
        yield succeeded(file, copy=copy, started=when) if number % 4 else failed(file, started=now)
    for number, text in enumerate(HOSTILE, 100):
        dataset = Dataset(text, "10.5072", text)
        yield failed(datafile(number, label=text, dataset=dataset, store_id=text), Reason.NO_SPACE, message=text)


def every_page(folder: Path) -> list[Path]:
    return [folder / "index.html", folder / "files.html", *sorted(folder.glob("runs/*.html"))[:1]]


def until(said: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


def search(chromium: Browser, text: str) -> None:
    script = "const [i, t] = [document.querySelector('.dt-search input'), arguments[0]];"
    chromium.ask(f"{script} i.value = t; i.dispatchEvent(new Event('input', {{bubbles: true}}))", text)


def choose(chromium: Browser, label: str, choice: str) -> None:
    script = """
        const labels = [...document.querySelectorAll('.filters label')];
        const label = labels.find(l => l.textContent.startsWith(arguments[0]));
        const select = label.querySelector('select');
        select.value = [...select.options].find(o => o.text === arguments[1]).value;
        select.dispatchEvent(new Event('change'));"""
    chromium.ask(script, label, choice)


def column(chromium: Browser, number: int) -> list[str]:
    return chromium.texts(f"table.data tbody tr td:nth-child({number})")


# In a browser


def test_every_page_asks_for_nothing_outside_and_complains_of_nothing(chromium: Browser, folder: Path) -> None:
    for page in every_page(folder):
        chromium.open(page)
        until(lambda: bool(chromium.texts("table.data tbody tr")))
        assert outside(chromium.asked_for(), folder) == []
        assert chromium.complaints() == []


def test_hostile_names_are_read_and_not_obeyed(chromium: Browser, folder: Path) -> None:
    chromium.open(folder / "files.html")
    for text in ("obeyed", "&amp;", "<img", "calc"):
        search(chromium, text)
        until(lambda: "filtered" in chromium.text(".dt-info"))
    assert chromium.ask("return document.querySelectorAll('main img, main script, main a').length") == 0
    for page in every_page(folder):
        chromium.open(page)
        assert "obeyed" not in chromium.driver.title
        assert chromium.complaints() == []
    search(chromium, "nowhere.png")
    until(lambda: "<img src=nowhere.png" in "".join(column(chromium, 3)))


def test_files_can_be_searched(chromium: Browser, folder: Path) -> None:
    chromium.open(folder / "files.html")
    search(chromium, "measurement 44.csv")
    until(lambda: column(chromium, 3) == ["raw/measurement 44.csv"] * 2)
    search(chromium, "no such file anywhere")
    until(lambda: chromium.texts("table.data tbody") == ["Nothing fits."])


def test_files_can_be_filtered(chromium: Browser, folder: Path) -> None:
    chromium.open(folder / "files.html")
    choose(chromium, "Destination", "archive")
    choose(chromium, "Status", "FAIL_WRITE")
    until(lambda: len(column(chromium, 4)) == len(HOSTILE))
    assert set(column(chromium, 4)) == {"archive"}
    assert set(column(chromium, 7)) == {"no-space"}
    choose(chromium, "Status", "all")
    choose(chromium, "Reason", "missing")
    until(lambda: set(column(chromium, 6)) == {"FAIL_READ"})


def test_files_can_be_sorted_by_size_as_a_number(chromium: Browser, folder: Path) -> None:
    chromium.open(folder / "files.html")
    choose(chromium, "Status", "OK")
    heading = "table.data thead th:nth-child(8)"
    chromium.ask(f"document.querySelector('{heading}').click()")
    until(lambda: column(chromium, 8)[:1] == ["1 B"])
    chromium.ask(f"document.querySelector('{heading}').click()")
    until(lambda: column(chromium, 8)[:1] == ["100.0 MB"])
    assert chromium.ask(f"return document.querySelector('{heading}').ariaSort") == "descending"


def test_a_run_on_the_first_page_leads_to_its_own_page_and_back(chromium: Browser, folder: Path) -> None:
    chromium.open(folder / "index.html")
    chromium.ask("document.querySelector('a[href^=\"runs/\"]').click()")
    until(lambda: chromium.driver.title.startswith("Run of"))
    assert set(column(chromium, 4)) == {"FAIL_READ", "FAIL_WRITE", "OK"}
    chromium.ask("document.querySelector('nav a').click()")
    until(lambda: chromium.driver.title.startswith("Overview"))


def test_every_picture_is_drawn_has_a_name_and_its_numbers_as_a_table(chromium: Browser, folder: Path) -> None:
    chromium.open(folder / "index.html")
    until(lambda: len(chromium.texts("figure[data-chart] svg[role=img]")) == 5)
    names = chromium.ask("return [...document.querySelectorAll('svg[role=img]')].map(svg => svg.ariaLabel)")
    assert names == chromium.texts("figcaption strong")
    pictures = "[...document.querySelectorAll('svg[role=img]')]"
    assert all(chromium.ask(f"return {pictures}.map(each => each.querySelectorAll('path, rect, circle').length)"))
    assert chromium.ask("return document.querySelectorAll('figure[data-chart] details table caption').length") == 5


def test_no_rule_of_accessibility_is_violated_in_the_light_or_in_the_dark(chromium: Browser, folder: Path) -> None:
    index, files, run = every_page(folder)
    backgrounds = set()
    for scheme, page in (("light", index), ("dark", index), ("dark", files), ("light", run)):
        chromium.prefer(scheme)
        chromium.open(page)
        until(lambda: bool(chromium.texts("table.data tbody tr")))
        assert chromium.violations() == []
        backgrounds.add(chromium.ask("return getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_a_phone_shows_every_page_without_scrolling_sideways(chromium: Browser, folder: Path) -> None:
    chromium.resize(PHONE, 740)
    for page in every_page(folder):
        chromium.open(page)
        until(lambda: bool(chromium.texts("table.data tbody tr")))
        assert chromium.ask("return document.documentElement.scrollWidth") == PHONE
    chromium.resize(1280)


def test_a_hundred_thousand_failed_files_do_not_freeze_the_page(chromium: Browser, tmp_path: Path) -> None:
    ledger = MemoryLedger()
    run = ledger.begin_run("backup", HERE)
    ledger.record(run, [failed(datafile(number, label=f"{number}.csv")) for number in range(MANY)])
    write_pages(gather(ledger, [HERE]), ledger, tmp_path)
    began = time.monotonic()
    chromium.open(tmp_path / "files.html")
    until(lambda: "100,000" in chromium.text(".dt-info"), 20)
    assert len(chromium.texts("table.data tbody tr")) == 25
    search(chromium, "raw/77777.csv")
    until(lambda: column(chromium, 1) == ["77,777"], 20)
    assert time.monotonic() - began < 30  # a few seconds on a machine that does nothing else


# On the command line


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Installation:
    """The sample Dataverse after a run; no test changes it."""
    postgres.create_database("reported")
    folder, dsn = tmp_path_factory.mktemp("sample"), postgres.dsn("reported")
    site = Installation(folder, dsn, build(folder / "dataverse", dsn))
    site.backup.mkdir()
    assert site.run("backup").returncode == 3
    return site


def without_dataverse(site: Installation) -> Installation:
    return replace(site, dsn="host=127.0.0.1 port=1 dbname=dvndb user=dvnapp")


def test_the_report_of_the_sample_names_what_was_planted(backed_up: Installation) -> None:
    planted = {one.datafile_id: one.reason for one in backed_up.sample.with_status(Status.FAIL_READ)}
    lists, pages = backed_up.folder / "lists", backed_up.folder / "pages"
    lists.mkdir()
    pages.mkdir()
    answer = without_dataverse(backed_up).run("report", "--csv", str(lists), "--html", str(pages), "--json")
    assert (answer.returncode, answer.stderr) == (0, "")
    told = json.loads(answer.stdout)["destinations"]["default"]
    assert (told["is_safe"], told["files"]["FAIL_READ"]) == (False, len(planted))
    assert {row["reason"]: row["files"] for row in told["reasons"] if row["status"] == "FAIL_READ"} == {
        reason: list(planted.values()).count(reason) for reason in set(planted.values())
    }
    with (lists / "failed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["datafile_id"]): row["reason"] for row in rows} == planted
    assert all(row["hint"] for row in rows)
    assert (pages / "index.html").is_file()
    run = json.loads(answer.stdout)["runs"][0]
    of_run = json.loads(backed_up.run("report", "--run", run["id"], "--json").stdout)
    assert of_run["run"] == run
    tried = [attempt for attempt in of_run["attempts"] if attempt["object"] == MAIN]
    assert len(tried) == run["files_ok"] + run["files_failed"]
    assert len(of_run["attempts"]) == len(tried) + len(backed_up.sample.companions)
    shown = backed_up.run("report").stdout, backed_up.run("report", "--run", run["id"]).stdout
    assert f"{len(planted)} copies are missing or failing" in shown[0]
    assert run["id"] in shown[0]
    assert all(f"datafile {number}, " in shown[1] for number in planted)


def test_a_file_is_explained_by_each_of_its_names(backed_up: Installation) -> None:
    line = next(line for line in backed_up.listed("--status", "OK") if line["directory_label"])
    number, path = str(line["datafile_id"]), f"{line['directory_label']}/{line['label']}"
    for name in (number, path, line["dataset"]):  # the ledger's own tests know the others
        told = json.loads(backed_up.run("explain", name, "--json").stdout)
        (file,) = (file for file in told["files"] if file["datafile_id"] == int(number))
        assert file["catalogue"]["label"] == line["label"]
        assert file["attempts"][0]["verified_by"] == line["verified_by"]
        assert file["destinations"][0]["key"] == line["key"]


def test_a_failed_file_is_explained_with_what_to_do(backed_up: Installation) -> None:
    line = next(line for line in backed_up.listed("--reason", "missing"))
    shown = backed_up.run("explain", str(line["datafile_id"])).stdout
    assert "FAIL_READ (missing)" in shown
    assert "what to do: look for the file" in shown
    assert f"store {line['store']}: " in shown


def test_a_file_is_explained_from_the_ledger_when_dataverse_is_gone(backed_up: Installation) -> None:
    line = backed_up.listed("--status", "OK")[0]
    answer = without_dataverse(backed_up).run("explain", str(line["datafile_id"]))
    assert answer.returncode == 0
    assert "does not answer" in answer.stderr
    assert line["key"] in answer.stdout
    assert "Dataverse: not asked" in answer.stdout


def test_what_cannot_be_answered_is_said_and_ends_with_1(small: Small) -> None:
    site = small([small_file()])
    for arguments, said in (
        (["report", "--html", str(site.folder / "nowhere")], "nowhere does not exist"),
        (["report", "--run", "nothing"], "the ledger knows no run nothing"),
        (["explain", "999999"], "nothing is known of 999999"),
    ):
        answer = site.run(*arguments)
        assert answer.returncode == 1
        assert said in answer.stderr
        assert "hint: " in answer.stderr
