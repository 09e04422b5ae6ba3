"""The site of the documentation: made without a warning, complete in itself, good to read."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.browser import Browser, browser, outside

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
    "video": "src",
    "object": "data",
}
"""What a browser asks for by itself when it shows a page, by the element that names it."""
OF_THE_THEME = "landmark-unique"
"""The one rule, a matter of taste, that the theme breaks: its two asides have no names."""
PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made as people make it."""
    folder = tmp_path_factory.mktemp("documentation") / "site"
    made = subprocess.run(
        [CHECKOUT / "scripts" / "docs", folder], capture_output=True, text=True, timeout=240, check=False
    )
    assert (made.returncode, made.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


class Loads(HTMLParser):
    """Collects the addresses that a page makes a browser ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == LOADED.get(tag)]


def test_no_page_and_no_style_names_a_resource_of_another_host(site: Path) -> None:
    pages, styles = list(site.rglob("*.html")), list(site.rglob("*.css"))
    assert len(pages) > 20
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text("utf-8"))
        assert [address for address in loads.found if "//" in address] == [], page
    for style in styles:
        assert re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import", style.read_text("utf-8")) == [], style


@pytest.mark.parametrize(
    ("page", "scheme", "width"),
    [("index", "light", DESK), ("howto/schedule", "dark", DESK), ("reference/exit-codes", "light", PHONE)],
)
def test_a_page_is_good_to_read(site: Path, opened: Browser, page: str, scheme: str, width: int) -> None:
    opened.prefer(scheme)
    opened.resize(width)
    opened.open(site / f"{page}.html")
    assert [found for found in opened.violations() if not found.startswith(OF_THE_THEME)] == []
    assert opened.complaints() == []
    assert outside(opened.asked_for(), site) == []


def test_every_page_fits_on_a_phone(site: Path, opened: Browser) -> None:
    opened.resize(PHONE)
    for page in site.rglob("*.html"):
        opened.open(page)
        assert opened.ask("return document.documentElement.scrollWidth") == PHONE, page


def test_the_search_finds_a_reason_without_a_server(site: Path, opened: Browser) -> None:
    opened.driver.get(f"{(site / 'search.html').as_uri()}?q=source-differs")
    opened.driver.execute_async_script(  # results come one after the other; one that stays away is a time-out
        "const [found, done] = arguments,"
        " look = () => document.querySelector(found) ? done() : setTimeout(look, 50); look()",
        "#search-results a[href*='reference/reasons.html']",
    )
    assert outside(opened.asked_for(), site) == []
