from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.config import load
from dataverse_backup.errors import ConfigurationError
from tests.unit.config_files import BACKUP, REPOSITORY, REST, loaded, mistakes, written

SECRET = "Tr0ub4dor"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = "[Repository]\nFileSystemDirectory: /d\n[Backup]\nSshPort: 0\nSshHots: x\n[Database]\nPort: many\n"
    assert mistakes(tmp_path, text) == [
        "line 3: [Backup] SshHost: missing",
        "line 3: [Backup] BackupDirectory: missing",
        "line 4: [Backup] SshPort: must be greater than or equal to 1",
        "line 5: [Backup] SshHots: not a key of this section; did you mean SshHost?",
        "line 7: [Database] Port: not a whole number",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[Databse]\n", "line 1: [Databse]: not a known section; did you mean Database?"),
        ("[Qqqq]\n", "line 1: [Qqqq]: not a known section"),
        ("[]\n", "line 1: not a section: a section is a line with a name in square brackets and nothing else"),
        (
            "[Database] x\n",
            "line 1: not a section: a section is a line with a name in square brackets and nothing else",
        ),
        ("[Database x]\n", "line 1: [Database x]: takes no name: write [Database]"),
        ("Host: x\n", "line 1: comes before the first section"),
        ("[Database]\nHost\n", "line 2: neither a section, nor a key with its value, nor a comment"),
        ("[Database]\nPassword my=secret\n", "line 2: neither a section, nor a key with its value, nor a comment"),
        ("[Database]\n Host: x\n", "line 2: starts with a space: a value is one line, and a key starts the line"),
        ("[Database]\nHost: a\x00b\n", "line 2: holds a control character"),
        ("[Database]\nHost: a\nHOST: b\n", "line 3: [Database] HOST: given a second time, first in line 2"),
        ("[Database]\n[DATABASE]\n", "line 2: [DATABASE]: given a second time, first in line 1"),
        ("[Database]\nPort: 70000\n", "line 2: [Database] Port: must be less than or equal to 65535"),
        ("[Database]\nPort: " + "9" * 5000, "line 2: [Database] Port: not a whole number of a sensible size"),
        ("[Database]\nTimeZone: Mars/Base\n", "TimeZone: not a time zone: a name such as Europe/Berlin or UTC"),
        ("[Database]\nTimeZone: ../../etc/passwd\n", "TimeZone: not a time zone: a name such as Europe/Berlin or UTC"),
        ("[Database]\nSslMode: maybe\n", "line 2: [Database] SslMode: must be one of disable, allow, prefer"),
        ("[Database]\nPasswordFile: none\n", "PasswordFile: cannot be read: No such file or directory"),
        ("[Database]\nPasswordFile: /dev/zero\n", "line 2: [Database] PasswordFile: not a regular file"),
        ("[Database]\nPasswordFile: /dev\nPassword: x\n", "PasswordFile: give Password or PasswordFile, not both"),
        ("[Database]\nBackupDatabase: dvndb\n", "BackupDatabase: must not be the database of Dataverse itself"),
        ("[Database]\nBackupDatabase: postgresql://localhost/dvndb\n", "must not be the database of Dataverse itself"),
        (
            "[Database]\nBackupDatabase: mysql://a/b\n",
            "BackupDatabase: must be the name of a database, a postgresql://",
        ),
        ("[Database]\nBackupDatabase: postgresql://a:x/b\n", "BackupDatabase: must be the name of a database"),
        ("[Database]\nBackupDatabase: sqlite:///\n", "BackupDatabase: must be the name of a database"),
        ("[Database]\nBackupDatabase: /var/ledger.db\n", "BackupDatabase: must be the name of a database"),
        ("[Database]\nBackupDatabase: sqlite:ledger.db\n", "BackupDatabase: must be the name of a database"),
        ("[Database]\nBackupDatabase: postgresql://a/b?password=c\n", "must not hold the password in its query"),
        ("[Notifications]\nEmail: -t\n", "line 2: [Notifications] Email: not a mail address"),
        ("[Notifications]\nEmail: |sh@x\n", "line 2: [Notifications] Email: not a mail address"),
        ("[Notifications]\nEmail: /etc/passwd@x\n", "line 2: [Notifications] Email: not a mail address"),
        ("[Notifications]\nMailCommand: -x\n", "MailCommand: must not start with - nor hold a space"),
        ("[Store]\ntype: file\n", "line 1: [Store]: must be [Store ID] with Dataverse's id of the store"),
        ("[Store a]\n", "line 1: [Store a] type: missing: one of file, s3, swift, remote, globus, ignore"),
        ("[Store a]\ntype: tape\n", "line 2: [Store a] type: must be one of file, s3, swift, remote, globus, ignore"),
        ("[Store a]\ntype: s3\n", "line 1: [Store a] bucket-name: missing"),
        ("[Store a]\ntype: file\n[Store a]\ntype: file\n", "line 3: [Store a]: given a second time, first in line 1"),
        ("[Store file]\ntype: file\n", "line 1: [Store file]: FileSystemDirectory in line 4 is this store"),
        ("[Backup b]\nStorageType: tape\n", "line 2: [Backup b] StorageType: must be one of ssh, filesystem"),
        (
            "[Backup a/b]\nSshHost: h\nBackupDirectory: d\n",
            "line 1: [Backup a/b]: the name of a destination has letters",
        ),
        ("[Backup DEFAULT]\nSshHost: h\nBackupDirectory: d\n", "[Backup]: the same destination as in line 1"),
        ("[Backup b]\nBackupDirectory: d\nSshHost: -oProxyCommand=x\n", "line 3: [Backup b] SshHost: must not start"),
        ("[Backup b]\nBackupDirectory: d\nSshHost: h\nFileMode: 0888\n", "FileMode: not a mode: three octal digits"),
        (
            "[Backup b]\nBackupDirectory: d\nSshHost: h\nFileMode: 0440\n",
            "FileMode: the owner must be able to read and",
        ),
        (
            "[Backup b]\nBackupDirectory: d\nSshHost: h\nDirMode: 0600\n",
            "DirMode: the owner must be able to read, write",
        ),
        ("[Backup b]\nBackupDirectory: d\nSshHost: h\nBatchBytes: much\n", "BatchBytes: not a size: a whole number of"),
        ("[Backup b]\nBackupDirectory: d\nSshHost: h\nWorkers: 65\n", "Workers: must be less than or equal to 64"),
        (
            "[Backup b]\nBackupDirectory: d\nSshHost: h\nAcceptNewHostKeys: oui\n",
            "AcceptNewHostKeys: must be yes or no",
        ),
    ],
)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, text: str, mistake: str) -> None:
    told = mistakes(tmp_path, f"{text.rstrip(chr(10))}\n{REST}")
    assert [line for line in told if mistake in line], told


def test_a_configuration_without_a_destination_is_refused(tmp_path: Path) -> None:
    assert mistakes(tmp_path, REPOSITORY) == ["[Backup]: missing: no destination is described"]


def test_a_configuration_without_a_store_is_refused(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, BACKUP)
    assert mistake.startswith("[Repository] FileSystemDirectory: missing")


def test_a_default_store_that_is_not_described_is_refused(tmp_path: Path) -> None:
    told = mistakes(tmp_path, REPOSITORY + "DefaultStore: s3\n" + BACKUP)
    assert told == ["line 3: [Repository] DefaultStore: names a store that is not described"]


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.ini"
    path.write_bytes(b"[Database]\nPassword: \xff\n")
    with pytest.raises(ConfigurationError, match="line 2: not in UTF-8"):
        load(path, {})


@pytest.mark.parametrize("name", ["", "none", "a\0b"], ids=["a folder", "nothing", "a NUL"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / name, {})


KEYS = ["Host", "Port", "Password", "PasswordFile", "BackupDatabase", "TimeZone", "StorageType", "SshHost", "Directory"]
KEYS += ["FileSystemDirectory", "Email", "BatchBytes", "FileMode", "type", "authUrl.x", "password.x", "bucket-name"]
HEADERS = ["[Database]", "[Repository]", "[Backup]", "[Backup x]", "[Store x]", "[Store file]", "[Notifications]"]
VALUES = (
    st.sampled_from(["", "~", "~nobody-such/x", "swift", "s3", "postgresql://[", "sqlite:///~x/y", "ssh"]) | st.text()
)
LINES = st.sampled_from(HEADERS) | st.builds("{}: {}".format, st.sampled_from(KEYS), VALUES) | st.text()


@given(st.lists(LINES, max_size=12).map("\n".join), st.booleans())
def test_any_text_is_loaded_or_refused(text: str, whole: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.ini"
        path.write_bytes((text + "\n" + REST * whole).encode("utf-8", "surrogatepass"))
        with contextlib.suppress(ConfigurationError):
            assert load(path, {}).ledger_url.database


@given(st.binary(max_size=200))
def test_any_bytes_are_loaded_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.ini"
        path.write_bytes(data)
        with pytest.raises(ConfigurationError):
            load(path, {})


WITH_SECRETS = f"""\
[Database]
Password: {SECRET}
BackupDatabase: postgresql://u:{SECRET}@h/d
[Store s]
type: s3
bucket-name: b
access-key: {SECRET}
secret-key: {SECRET}
[Store w]
type: swift
defaultEndpoint: e
authUrl.e: https://a
username.e: u
password.e: {SECRET}
hashKey.e: {SECRET}
[Repository]
FileSystemDirectory: /d
[Backup]
SwiftKey: {SECRET}
SshHost: h
BackupDirectory: d
[Backup bucket]
StorageType: s3
S3Bucket: c
S3AccessKey: {SECRET}
S3SecretKey: {SECRET}
"""


def test_no_secret_is_in_what_is_shown_of_the_settings(tmp_path: Path) -> None:
    settings = loaded(tmp_path, WITH_SECRETS)
    stores = [store.model_dump() for store in settings.stores.values()]
    for shown in (str(settings), repr(settings), settings.model_dump_json(), repr(settings.model_dump()), repr(stores)):
        assert SECRET not in shown
    assert SECRET not in repr(settings.ledger_url)


@given(
    st.integers(0, WITH_SECRETS.count("\n") - 1), st.sampled_from(["remove", "repeat", "indent", "no key", "Port: x"])
)
def test_no_secret_is_in_any_error(line: int, damage: str) -> None:
    lines = [*WITH_SECRETS.split("\n")[:-1], "[Nonsense]"]
    damaged = {
        "remove": [],
        "repeat": [lines[line]] * 2,
        "indent": [f" {lines[line]}"],
        "no key": [lines[line].partition(": ")[2] if "://" not in lines[line] else SECRET],
        "Port: x": [lines[line], "Port: x"],
    }[damage]
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "\n".join([*lines[:line], *damaged, *lines[line + 1 :]]))
        with pytest.raises(ConfigurationError) as refused:
            load(path, {})
        error: BaseException | None = refused.value
        while error:
            assert SECRET not in repr(error)
            error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "url", [f"postgresql://u:{SECRET}@h:x/d", f"mysql://u:{SECRET}@h/d", f"postgresql://:{SECRET}@"]
)
def test_no_secret_of_a_damaged_url_is_in_the_error(tmp_path: Path, url: str) -> None:
    assert SECRET not in "\n".join(mistakes(tmp_path, f"[Database]\nBackupDatabase: {url}\n{REST}"))
