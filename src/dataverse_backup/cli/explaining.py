"""`explain`: everything that is known of one file."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from dataverse_backup import assembly
from dataverse_backup.actions import explain as action
from dataverse_backup.cli.reading import ledger_to_read
from dataverse_backup.cli.records import attempt_object, checksum_fields, listed_object, removal_object, verdict_object
from dataverse_backup.cli.terminal import out, plain, size_of, warn
from dataverse_backup.datafile import MAIN, Datafile
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import Status
from dataverse_backup.verdict import ADVICE
from dataverse_backup.wording import iso

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dataverse_backup.actions.explain import Answer, Explanation
    from dataverse_backup.config import Settings
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.ledger.audits import VerdictRecord
    from dataverse_backup.ledger.base import Listed
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.ledger.removals import Removal

_STYLES = {Status.OK: "green", Status.FAIL_READ: "red", Status.FAIL_WRITE: "red"}


def explain(settings: Settings, name: str, *, as_json: bool) -> None:
    """Explain every file that goes by *name*."""
    stores = assembly.make_stores(settings.stores)
    with ledger_to_read(settings) as ledger:
        answer = action.explain(name, ledger, partial(assembly.open_catalogue, settings), stores)
    if as_json:
        print(json.dumps(_answer_object(answer), indent=2))  # noqa: T201 -- the command's answer
        return
    if answer.trouble is not None:
        warn(f"{answer.trouble}; what follows is from the ledger")
    for file in answer.files:
        for line in _lines(file, is_asked=answer.trouble is None):
            out.print(line)
    if answer.are_more:
        out.print(f"… and more; {action.MOST_FILES} files of that name are shown. Ask for one of them by its id.")


# The terminal


def _lines(file: Explanation, *, is_asked: bool) -> Iterator[Text]:
    yield Text(f"{'dataset' if file.is_dataset else 'datafile'} {file.datafile_id}", style="bold")
    yield from map(plain, _row_lines(file, is_asked=is_asked))
    yield from (_verdict_line(one) for one in file.verdicts if one.destination == PRIMARY)
    if not file.places:
        yield plain("  no run has seen it yet")
    for listed in sorted(file.places, key=lambda one: (one.destination, one.tag != MAIN)):
        yield from _place_lines(file, listed)
        yield from (_attempt_line(a) for a in file.attempts if (a.destination, a.tag) == _which(listed))
        yield from (_verdict_line(one) for one in file.verdicts if (one.destination, one.tag) == _which(listed))
        yield from (_removal_line(one) for one in file.removals if (one.destination, one.tag) == _which(listed))


def _which(listed: Listed) -> tuple[str, str]:
    return listed.destination, listed.tag


def _row_lines(file: Explanation, *, is_asked: bool) -> Iterator[str]:
    if file.row is None:
        yield "  Dataverse: no such datafile now" if is_asked else "  Dataverse: not asked"
        return
    if file.is_dataset:
        yield f"  Dataverse: {_dataset(file.row)}; the database does not tell whether it has a logo"
        return
    yield f"  Dataverse: {_name(file.row) or '(no name)'} in {_dataset(file.row) or '(no dataset)'}"
    made = iso(file.row.created) or "(unknown)"
    yield f"    storage identifier {file.row.storageidentifier or '(none)'}, made {made}"
    if not isinstance(file.row, Datafile):
        yield f"    {file.row.reason}: {file.row.message}"
        return
    size = "unknown size" if file.row.size is None else f"{size_of(file.row.size)} ({file.row.size:,} bytes)"
    yield f"    {size}, registered {file.row.checksum or 'no usable checksum'}, {file.row.content_type or 'no type'}"
    found = ", then ".join(file.objects) or "nothing that can be read there"
    yield f"    its bytes: store {file.row.store_id}: {found}"


def _name(row: Datafile | NotHere) -> str:
    folder = row.directory_label if isinstance(row, Datafile) else ""
    return f"{folder}/{row.label}" if folder else row.label


def _dataset(row: Datafile | NotHere) -> str:
    return row.dataset.persistent_id if isinstance(row, Datafile) else row.persistent_id


def _place_lines(file: Explanation, listed: Listed) -> Iterator[Text]:
    word = f"{listed.status}{f' ({listed.reason})' if listed.reason else ''}"
    beside = (
        ""
        if listed.tag == MAIN
        else f", {listed.tag} ({listed.label})"
        if file.is_dataset
        else f", beside it {listed.tag} ({listed.label})"
    )
    yield plain(f"  destination {listed.destination}{beside}: ") + Text(word, style=_STYLES.get(listed.status, ""))
    if listed.message:
        yield plain(f"    {listed.message}")
    if listed.key:
        yield plain(f"    key {listed.key}")
    if listed.proven:
        size = "" if listed.size is None else f", {listed.size:,} bytes"
        yield plain(f"    proven {_second(listed.proven)} by {listed.verified_by}: {listed.checksum}{size}")
    if advice := file.advice(listed):
        yield plain(f"    what to do: {advice}")


def _attempt_line(attempt: AttemptRecord) -> Text:
    reason = f" ({attempt.reason})" if attempt.reason else ""
    said = f": {attempt.message}" if attempt.message else ""
    how = f", proven by {attempt.verified_by}" if attempt.verified_by else ""
    sent = f"{size_of(attempt.bytes_sent)} sent in {attempt.seconds:.1f} s"
    return plain(f"    {_second(attempt.started)} {attempt.status}{reason}, {sent}{how}, run {attempt.run}{said}")


def _verdict_line(one: VerdictRecord) -> Text:
    how = f", by {one.how}" if one.how else ""
    advice = f"; what to do: {ADVICE[one.verdict]}" if ADVICE[one.verdict] else ""
    said = f": {one.message}" if one.message else ""
    return plain(f"    {_second(one.at)} audit: {one.verdict}{how}, run {one.run}{said}{advice}")


def _removal_line(one: Removal) -> Text:
    became = one.outcome or "begun, and nobody knows what became of it"
    said = f": {one.message}" if one.message else ""
    what = "" if one.copy is None else f", {one.copy.checksum}"
    return plain(f"    {_second(one.begun)} prune: {became}{said} ({one.key}, {one.size:,} bytes{what}), run {one.run}")


def _second(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


# JSON


def _answer_object(answer: Answer) -> dict[str, object]:
    return {
        "files": [_file_object(file) for file in answer.files],
        "are_more": answer.are_more,
        "trouble": None if answer.trouble is None else str(answer.trouble),
    }


def _file_object(file: Explanation) -> dict[str, object]:
    return {
        "datafile_id": file.datafile_id,
        "catalogue": None if file.row is None else _row_object(file.row),
        "objects": list(file.objects),
        "destinations": [listed_object(listed) | {"what_to_do": file.advice(listed)} for listed in file.places],
        "attempts": [attempt_object(attempt) for attempt in file.attempts],
        "verdicts": [verdict_object(verdict) for verdict in file.verdicts],
        "removals": [removal_object(removal) for removal in file.removals],
    }


def _row_object(row: Datafile | NotHere) -> dict[str, object]:
    shared: dict[str, object] = {
        "dataset": _dataset(row),
        "label": row.label,
        "storageidentifier": row.storageidentifier,
        "createdate": iso(row.created),
    }
    if not isinstance(row, Datafile):
        return shared | {"reason": row.reason, "message": row.message}
    return shared | {
        "directory_label": row.directory_label,
        "store": row.store_id,
        "size": row.size,
        **checksum_fields(row.checksum),
        "content_type": row.content_type,
        "is_tabular": row.is_tabular,
    }
