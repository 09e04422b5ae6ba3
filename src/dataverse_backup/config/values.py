"""The kinds of values that a configuration holds, each checked in one place.

A refusal says what would be right and never repeats the value.
"""

import os
import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr, ValidationInfo
from pydantic.fields import FieldInfo

from dataverse_backup.bandwidth import Timetable
from dataverse_backup.datafile import Kind

FOLDER = "folder"
"""Where the validation context keeps the folder of the configuration file."""
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SIZE = re.compile(r"([0-9]{1,12})\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%")
DURATION = re.compile(r"([0-9]{1,6})\s*([smhd])", re.IGNORECASE)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
OCTAL = re.compile(r"(?:0o?)?([0-7]{3})")
ADDRESS = re.compile(r"\w[^\s@,;<>\"|/!]*@[^\s@,;<>\"|/!-][^\s@,;<>\"|/!]*|[A-Za-z_][A-Za-z0-9_.-]*")
"""Begins with a letter or digit, and has no ``|``, ``/`` or ``!``: ``mail`` takes others for commands and files."""
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""Wider than what AWS takes now: old buckets, and those of other services."""
AWS = "amazonaws.com"
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
HIGHEST_PORT = 65535
PRINTABLE_ASCII = re.compile(r"[!-~]+")
OWNER_USES_FILE, OWNER_USES_FOLDER = 0o600, 0o700
SCHEDULER = re.compile(r"(?:tcp|tls)://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
OF_MACHINE: dict[str, JsonValue] = {"of_machine": True}
"""The ``json_schema_extra`` of a field that may be another on each machine, and changes nothing about what is copied
to where.
"""


class SectionModel(BaseModel):
    """The base of every model of a section: immutable, and silent about what it was given.

    An alias is the key in the file; a field without one is filled by the loader.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        defer_build=True,  # few of them are needed in one run, and each takes milliseconds
    )


def absolute(value: str | Path, folder: Path) -> Path:
    """*value* with ``~`` expanded, relative to *folder*."""
    try:
        return folder / Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("the home directory of that user is not known") from error


def _local_path(value: Path, info: ValidationInfo) -> Path:
    context: dict[str, Any] = info.context or {}
    return absolute(value, context.get(FOLDER, Path.cwd()))


def _mode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = OCTAL.fullmatch(value)
    if not match:
        raise ValueError("not a mode: three octal digits such as 0640")
    return int(match[1], 8)


def _file_mode(value: int) -> int:
    if value & OWNER_USES_FILE != OWNER_USES_FILE:
        raise ValueError("the owner must be able to read and write: 06xx")
    return value


def _dir_mode(value: int) -> int:
    if value & OWNER_USES_FOLDER != OWNER_USES_FOLDER:
        raise ValueError("the owner must be able to read, write and enter: 07xx")
    return value


def size_from(text: str) -> int:
    """A number of bytes such as ``64M``; ValueError where it is none."""
    match = SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError("not a size: a whole number of bytes, or one with K, M, G or T")
    return int(match[1]) * UNITS[match[2].upper()]


def duration_from(text: str) -> int:
    """A number of seconds, from a length of time such as ``26h``; ValueError where it is none."""
    match = DURATION.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise ValueError("not a length of time: a whole number with s, m, h or d, such as 6h")
    return int(match[1]) * SECONDS[match[2].lower()]


def share_from(text: str) -> float:
    """A share such as ``1%``; ValueError where it is none."""
    match = PERCENT.fullmatch(text.strip())
    share = float(match[1]) / 100 if match else 0.0
    if not 0.0 < share <= 1.0:
        raise ValueError("not a share: a number above 0 and up to 100 with %, such as 1%")
    return share


def _of_text(read: Callable[[str], Any]) -> BeforeValidator:
    """Reads what the file has; what is not text is a value already."""
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _zone(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError("not a time zone: a name such as Europe/Berlin or UTC") from error


def _addresses(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    addresses = re.split(r"[,;\s]+", value.strip(" ,;"))
    if not all(ADDRESS.fullmatch(address) for address in addresses):
        raise ValueError("not a mail address: name@host, several parted by commas")
    return addresses


def _kinds(value: str) -> tuple[Kind, ...]:
    words = [word for word in re.split(r"[,;\s]+", value.strip().lower()) if word]
    if words == ["none"]:
        return ()
    known = {kind.value: kind for kind in Kind}
    if not words or not set(words) <= known.keys():
        raise ValueError(f"must be some of {', '.join(known)}, or none")
    return tuple(known[word] for word in dict.fromkeys(words))


def _bucket_name(value: str) -> str:
    if not BUCKET.fullmatch(value):
        raise ValueError("not the name of a bucket: letters, digits, dots, hyphens and underscores")
    return value


def _endpoint(value: str) -> str:
    parts = urlsplit(value if "://" in value else f"https://{value}")
    try:
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or parts.username is not None or parts.query or parts.fragment or any(map(str.isspace, value)):
        raise ValueError("not the address of a service: https://host, with a port and a path if need be")
    return value.rstrip("/")


def _key_prefix(value: str) -> str:
    prefix = value.strip("/")
    if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
        raise ValueError("not a prefix: names parted by /, none of them empty, . or ..")
    if not prefix.isprintable() or "\\" in prefix:
        raise ValueError("must not hold control characters nor backslashes")
    return prefix


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise ValueError("not a mail address: name@host")
    return value


def _host(value: str) -> str:
    if not HOST.fullmatch(value):
        raise ValueError("not the name of a host, without a port")
    return value


def _secret_url(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_usable = False
    if not is_usable or not PRINTABLE_ASCII.fullmatch(value.get_secret_value()):
        raise ValueError("not an address that begins with https:// or http://")
    return value


def _secret_urls(value: SecretStr) -> SecretStr:
    if not all("://" in url for url in value.get_secret_value().split()):
        raise ValueError("not addresses such as slack://…, parted by spaces")
    return value


def scheduler_address(value: str) -> str:
    """*value*, if it may be the address of a Dask scheduler. Raises ValueError."""
    match = SCHEDULER.fullmatch(value)
    if not match or not 1 <= int(match[1]) <= HIGHEST_PORT:
        raise ValueError("not the address of a Dask scheduler: tcp://host:port or tls://host:port")
    return value


def is_secret(field: FieldInfo) -> bool:
    """Whether a section's key holds something that nobody else may see."""
    return "SecretStr" in str(field.annotation)


def is_of_machine(field: FieldInfo) -> bool:
    """Whether a section's key may say something else on each machine."""
    return field.json_schema_extra == OF_MACHINE


def lower_case(value: Any) -> Any:
    """A word that may be written in upper case too."""
    return value.lower() if isinstance(value, str) else value


def _word(value: str) -> str:
    if value.startswith("-") or any(c.isspace() for c in value):
        raise ValueError("must not start with - nor hold a space")  # it would be an option of ssh
    return value


LocalPath = Annotated[Path, AfterValidator(_local_path)]
"""A path on this machine; a relative one is relative to the configuration file."""
LocalFile = Annotated[str, AfterValidator(lambda value, info: str(_local_path(Path(value), info)))]
"""As LocalPath, as a string: libraries of ssh take no other."""
FileMode = Annotated[int, BeforeValidator(_mode), AfterValidator(_file_mode)]
DirMode = Annotated[int, BeforeValidator(_mode), AfterValidator(_dir_mode)]
Size = Annotated[int, _of_text(size_from), Field(ge=1)]
Duration = Annotated[int, _of_text(duration_from), Field(ge=1)]
"""In seconds."""
Share = Annotated[float, _of_text(share_from), Field(gt=0, le=1)]
Bandwidth = Annotated[Timetable, _of_text(lambda text: Timetable.parse(text, size_from))]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Address = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[list[str], BeforeValidator(_addresses)]
Host = Annotated[str, AfterValidator(_host)]
Kinds = Annotated[tuple[Kind, ...], _of_text(_kinds)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
SecretUrls = Annotated[SecretStr, AfterValidator(_secret_urls)]
Word = Annotated[str, AfterValidator(_word)]
BucketName = Annotated[str, AfterValidator(_bucket_name)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""The address of a service, with or without a scheme, and without a password."""
KeyPrefix = Annotated[str, AfterValidator(_key_prefix)]
Port = Annotated[int, Field(ge=1, le=HIGHEST_PORT)]
SchedulerAddress = Annotated[str, AfterValidator(scheduler_address)]


def folder_place(path: Path) -> Hashable:
    """What is equal for two paths that lead to one folder, through links and mounts."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def s3_place(endpoint: str | None, bucket: str, prefix: str = "") -> Hashable:
    """What is equal for two ways to one place in a bucket; AWS knows each name of a bucket only once."""
    host = (endpoint or AWS).partition("://")[2] or endpoint or AWS
    host = AWS if host.lower().endswith(f".{AWS}") else host.lower()
    return "s3", host, bucket, prefix
