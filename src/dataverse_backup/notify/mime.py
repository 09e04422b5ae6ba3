"""A message as a mail: text and HTML, with the lists attached."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from typing import TYPE_CHECKING

from dataverse_backup.notify.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.notify.base import Message

PROGRAM = "dataverse-backup"


def mime_message(message: Message, addresses: Sequence[str], sender: str | None) -> EmailMessage:
    """The mail; without *sender* the system that sends it adds one.

    Addresses are those of the configuration, and nothing of a catalogue is in the head but the subject, in one line:
    no name can add a header.
    """
    mail = EmailMessage()
    mail["Subject"] = one_line(message.subject)
    if sender:
        mail["From"] = sender
    mail["To"] = ", ".join(addresses)
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = make_msgid(domain=sender.partition("@")[2] if sender and "@" in sender else None)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note shall answer
    mail["User-Agent"] = PROGRAM
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    for one in message.attachments:
        mail.add_attachment(one.content, maintype="text", subtype="csv", filename=one.name, params={"charset": "utf-8"})
    return mail
