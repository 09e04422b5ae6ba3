"""The configuration described from its own models: a file to begin with, and the page of the reference."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined

from dataverse_backup.config.database import DatabaseSettings
from dataverse_backup.config.destinations import (
    DestinationSettings,
    FilesystemDestinationSettings,
    S3DestinationSettings,
    SshDestinationSettings,
    SwiftDestinationSettings,
)
from dataverse_backup.config.notifications import NotificationSettings
from dataverse_backup.config.settings import RepositorySettings
from dataverse_backup.config.stores import STORES, WITHOUT_MEANING, FileStoreSettings
from dataverse_backup.config.values import is_secret

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

MODES = frozenset({"FileMode", "DirMode"})
SIZES = frozenset({"BatchBytes", "SwiftSegmentSize"})
SHARES = frozenset({"BrakeShare", "PruneShare"})
DURATIONS = frozenset({"DatabaseDumpEvery", "DatabaseDumpKeepFor", "PruneAfter"})
MEBIBYTE = 1024 * 1024
HOUR, DAY = 3600, 86_400
WIDTH = 100


@dataclass(frozen=True, slots=True)
class _Part:
    """One section of the generated file."""

    title: str
    model: type[BaseModel]
    about: str
    live: bool = True
    """Whether the section is there, or only shown in comments."""


PARTS = (
    _Part("Database", DatabaseSettings, "The database of the Dataverse installation, and where the ledger is."),
    _Part("Repository", RepositorySettings, "Where Dataverse keeps its files."),
    _Part("Store ID", FileStoreSettings, "A further store; ID is Dataverse's id of it, upper and lower case.", False),
    _Part("Backup", SshDestinationSettings, "Where the copies go: the destination called default."),
    _Part("Backup NAME", FilesystemDestinationSettings, "A further destination, here a folder.", False),
    _Part("Backup BUCKET", S3DestinationSettings, "A further destination, here a bucket of S3.", False),
    _Part("Backup CONTAINER", SwiftDestinationSettings, "A further destination, here a container of Swift.", False),
    _Part("Notifications", NotificationSettings, "Who is told how a run ended."),
)

RULES = """\
A line is `Key: value` or `Key = value`, a section `[Name]`, or a comment that starts with `;` or `#`. The file is
in UTF-8. Nothing in a value is special: `%`, `;` and `#` belong to it. The names of sections and keys are the same
in upper and lower case; the ids of stores are not. A key without a value counts as not given. Relative paths of this
machine are relative to the configuration file, and `~` is the home directory. Every mistake is told at once, with its
line, and without the value. `dataverse-backup config validate` looks for them.

A file of a secret (`PasswordFile`, `SmtpPasswordFile`, `SwiftKeyFile` …) that is named without a folder is looked for
among the credentials that systemd hands to a service (`LoadCredential`), then beside the configuration file.

The file is `--config FILE`, else `$DATAVERSE_BACKUP_CONFIG`, else the first of `./config.ini`,
`~/.config/dataverse-backup/config.ini` and `/etc/dataverse-backup/config.ini`.
"""


def generate() -> str:
    """A complete commented file that loads as it stands and backs nothing up until it is filled in."""
    head = "; The configuration of dataverse-backup. What is commented out shows the default or an example.\n"
    return head + "".join(f"\n{_generated(part)}" for part in PARTS)


def _generated(part: _Part) -> str:
    lines = [*_comment(part.about), f"{'' if part.live else '; '}[{part.title}]"]
    for field in _fields(part.model):
        live = part.live and (field.is_required() or field.alias == "StorageType" or _is_live(field))
        lines += [
            "",
            *_comment(field.description or ""),
            f"{'' if live else '; '}{field.alias}: {_shown(field)}".rstrip(),
        ]
    return "\n".join(lines) + "\n"


def _is_live(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("live"))


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="; ", subsequent_indent="; ")


def _fields(model: type[BaseModel]) -> list[FieldInfo]:
    """Every field that the file has a key for: the type, what is required, the model's own, what all have."""
    shared = {field.alias for field in DestinationSettings.model_fields.values()}
    fields = [field for field in model.model_fields.values() if field.alias]
    return sorted(
        fields,
        key=lambda field: (
            field.alias not in ("StorageType", "type"),
            not field.is_required(),
            field.alias in shared,
        ),
    )


def _default(field: FieldInfo) -> str:
    """The default as the file would have it; empty where there is none."""
    value: Any = field.default
    if value is PydanticUndefined or value is None or value in ([], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _in_its_unit(field.alias or "", value)


def _in_its_unit(alias: str, value: Any) -> str:
    if alias in SHARES:
        return f"{100 * value:g}%"
    if alias in MODES:
        return f"{value:04o}"
    if alias in SIZES:
        return f"{value // MEBIBYTE}M"
    if alias in DURATIONS:
        return f"{value // DAY}d" if value % DAY == 0 else f"{value // HOUR}h"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _shown(field: FieldInfo) -> str:
    if field.alias == "type":
        return "file"
    return _default(field) or next((str(example) for example in field.examples or ()), "")


def reference() -> str:
    """The page of the reference about the configuration, in Markdown."""
    parts = [part for part in PARTS if not part.title.startswith("Store")]
    stores = [_Part("Store ID", model, f"`type: {kind}`. {_summary(model)}") for kind, model in STORES.items()]
    return "\n".join(
        [
            "# Configuration",
            "",
            "<!-- Written by scripts/docs --write; do not edit. -->",
            "",
            RULES,
            *(_table(part) for part in parts),
            "Keys of another storage type are known and ignored.\n",
            *(_table(part) for part in stores),
            "These keys of Dataverse's stores are known and mean nothing to a backup: "
            + ", ".join(f"`{key}`" for key in WITHOUT_MEANING)
            + ".\n",
            "## A whole file\n",
            f"`dataverse-backup config generate` writes this:\n\n```ini\n{generate()}```\n",
        ]
    )


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0]


def _table(part: _Part) -> str:
    rows = [f"| `{field.alias}` | {_presence(field)} | {_description(field)} |" for field in _fields(part.model)]
    return "\n".join(
        [f"## [{part.title}]", "", part.about, "", "| key | default | meaning |", "|---|---|---|", *rows, ""]
    )


def _description(field: FieldInfo) -> str:
    secret = " Secret." if is_secret(field) else ""
    return f"{field.description}{secret}".replace("<", "&lt;")


def _presence(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = _default(field)
    return f"`{default}`" if default else ""
