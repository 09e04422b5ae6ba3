"""A real browser, without a window, for looking at the pages of the report."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.servers import unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM, DRIVER = "chromium", "chromedriver"
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--window-size=1280,900",
)


class Browser:
    """Chromium, driven by Selenium; it remembers what the pages asked for and complained about."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: Path) -> None:
        """Show a file."""
        self.driver.get(page.as_uri())

    def ask(self, script: str, *arguments: Any) -> Any:
        """What a function body in JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """What can be read in the first element that fits; '' where none does."""
        return next(iter(self.texts(selector)), "")

    def texts(self, selector: str) -> list[str]:
        """What can be read in every element that fits."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText ?? e.textContent)"
        found: list[str] = self.ask(script, selector)
        return [text.strip() for text in found]

    def resize(self, width: int, height: int = 900) -> None:
        """Look as on a screen of that many pixels, a phone's too."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Prefer ``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, path: Path) -> None:
        """Save what is to be seen, as PNG."""
        self.driver.save_screenshot(str(path))

    def complaints(self) -> list[str]:
        """What stands in the console, since it was last asked."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def asked_for(self) -> list[str]:
        """Every address that was asked for, since it was last asked."""
        entries = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        sent = [entry for entry in entries if entry["method"] == "Network.requestWillBeSent"]
        return [str(entry["params"]["request"]["url"]) for entry in sent]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def violations(self) -> list[str]:
        """Which rules of accessibility are violated, and where."""
        self.ask(Axe().axe_script)
        found = self.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]


def outside(addresses: list[str], folder: Path) -> list[str]:
    """Those of *addresses* that are not of *folder*."""
    return [url for url in addresses if not url.startswith((folder.as_uri(), "data:", "blob:", "about:"))]


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser of its own, with its profile in a folder; skipped where there is none."""
    chromium, chromedriver = shutil.which(CHROMIUM), shutil.which(DRIVER)
    if chromium is None or chromedriver is None:
        unavailable("no chromium and chromedriver here; on Debian: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = chromium
    for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        driver.set_script_timeout(60)
        driver.get("about:blank")
        opened = Browser(driver)
        opened.asked_for()  # what the browser's own first page needed
        yield opened
    finally:
        driver.quit()
