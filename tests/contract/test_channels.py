"""What every channel promises, with something real at its other end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract import channel_cases as cases
from tests.contract.channel_cases import ADDRESSES, MESSAGE, SENDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.channel_cases import Case

HOSTILE = 'Dataverse\r\nBcc: eve@example.edu\n\nü "\u202e\x00 \udcff' + "x" * 500
KINDS: dict[str, Any] = {
    "memory": cases.memory,
    "smtp": partial(cases.smtp, security="none", login=False),
    "smtp-login": partial(cases.smtp, security="none", login=True),
    "smtp-starttls": partial(cases.smtp, security="starttls", login=False),
    "smtp-tls-login": partial(cases.smtp, security="tls", login=True),
    "smtp-starttls-login": partial(cases.smtp, security="starttls", login=True),
    "sendmail": cases.sendmail,
    "mail": cases.mail,
    "chat": cases.chat,
}


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with request.param(tmp_path, monkeypatch) as made:
        yield made


def test_a_message_arrives_with_its_subject_and_its_words(case: Case) -> None:
    case.channel.send(MESSAGE)
    (arrived,) = case.arrived(1)
    assert arrived.subject == MESSAGE.subject
    assert arrived.text.split() in (MESSAGE.text.split(), MESSAGE.brief.split())


def test_everybody_is_told_once(case: Case) -> None:
    case.channel.send(MESSAGE)
    case.arrived(1)
    assert case.recipients() in ([], [ADDRESSES])


def test_the_lists_arrive_where_they_can(case: Case) -> None:
    case.channel.send(MESSAGE)
    (arrived,) = case.arrived(1)
    if arrived.mail is None or not case.channel.takes_attachments:
        return
    html = arrived.mail.get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == MESSAGE.html
    (attached,) = arrived.mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("failed.csv", "text/csv")
    assert attached.get_payload(decode=True) == MESSAGE.attachments[0].content


def test_no_subject_adds_a_header(case: Case) -> None:
    hostile = type(MESSAGE)(HOSTILE, MESSAGE.text, MESSAGE.html, MESSAGE.brief, is_well=True)
    case.channel.send(hostile)
    (arrived,) = case.arrived(1)
    if arrived.mail is None:
        return
    assert arrived.mail.keys().count("Subject") == 1
    assert not {"Bcc", "Cc"} & set(arrived.mail.keys())
    assert str(arrived.mail["From"]).endswith(f"{SENDER}>") or str(arrived.mail["From"]) == SENDER
    assert str(arrived.mail["Subject"]).startswith('Dataverse Bcc: eve@example.edu ü "\\u202e\\x00 \\udcffxxx')
    assert case.recipients() == [ADDRESSES]


def test_checking_tells_nobody(case: Case) -> None:
    assert case.channel.check()
    assert case.arrived(0) == []
