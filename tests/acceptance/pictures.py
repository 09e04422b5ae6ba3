"""Takes the pictures of the report that the documentation shows: of the sample Dataverse after some runs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from demo.sample import build
from tests.acceptance.browser import browser
from tests.acceptance.installation import Installation
from tests.servers.postgresql import PostgresServer

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SECOND = "[Backup archive]\nStorageType: filesystem\nDirectory: {}"


def take(folder: Path) -> None:
    """Back up the sample a few times, and look at the first page and at a run's."""
    pages = folder / "pages"
    with PostgresServer() as server:
        server.create_database("dvndb")
        site = _backed_up(folder, server.dsn("dvndb"))
        pages.mkdir()
        site.run("report", "--html", str(pages))
    with browser(folder / "profile") as opened:
        for page, name, height in ((pages / "index.html", "report", 1750), (_worst_run(pages), "run", 900)):
            opened.resize(1180, height)
            opened.open(page)
            opened.picture(IMAGES / f"{name}.png")


def _backed_up(folder: Path, dsn: str) -> Installation:
    site = Installation(folder, dsn, build(folder / "dataverse", dsn))
    archive = folder / "archive"
    site.extra = SECOND.format(archive)
    site.backup.mkdir()
    archive.mkdir()
    for arguments in (["--limit", "40"], ["--limit", "60"], []):
        site.run("backup", *arguments)
    return site


def _worst_run(pages: Path) -> Path:
    return max(pages.glob("runs/*.html"), key=lambda page: page.read_text("utf-8").count("badge"))


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        take(Path(temporary))
    sys.exit(0)
