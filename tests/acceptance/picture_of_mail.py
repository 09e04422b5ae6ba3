"""Takes the picture of a mail that the documentation shows: what the sample Dataverse's administrator gets."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from demo.sample import build
from tests.acceptance.browser import browser
from tests.acceptance.installation import Installation
from tests.servers.postgresql import PostgresServer
from tests.servers.smtpd import SmtpServer

IMAGE = Path(__file__).parents[2] / "docs" / "images" / "mail.png"
SETTINGS = "[Notifications]\nEmail: admin@example.edu\nSmtpServer: 127.0.0.1\nSmtpSecurity: none\nSmtpPort: {}"


def take(folder: Path) -> None:
    """Back up the sample, and look at the mail."""
    page = folder / "mail.html"
    page.write_text(_mail(folder).replace(socket.gethostname(), "archive1"), "utf-8")
    with browser(folder / "profile") as opened:
        opened.resize(900, 1150)
        opened.open(page)
        opened.picture(IMAGE)


def _mail(folder: Path) -> str:
    with PostgresServer() as database, SmtpServer() as server:
        database.create_database("dvndb")
        dsn = database.dsn("dvndb")
        site = Installation(folder, dsn, build(folder / "dataverse", dsn), extra=SETTINGS.format(server.port))
        site.backup.mkdir()
        site.run("backup")
        (mail,) = server.received
    html = mail.get_body(("html",))
    return "" if html is None else str(html.get_content())


if __name__ == "__main__":
    IMAGE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        take(Path(temporary))
