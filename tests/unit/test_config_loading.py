from __future__ import annotations

import pickle
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import make_url

from dataverse_backup.config import (
    FilesystemDestinationSettings,
    SshDestinationSettings,
    generate,
    load,
)
from dataverse_backup.config.stores import FileStoreSettings, S3StoreSettings, SwiftStoreSettings
from demo.__main__ import CONFIGURATION
from tests.unit.config_files import BACKUP, REPOSITORY, REST, loaded, written

if TYPE_CHECKING:
    from pydantic import SecretStr

ORIGINAL = Path(__file__).with_name("original-config.ini")


def text_of(password: SecretStr | None) -> str:
    return password.get_secret_value() if password else ""


@pytest.mark.parametrize("begins", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_the_original_configuration_loads_unchanged(tmp_path: Path, begins: bytes, ends: bytes) -> None:
    path = tmp_path / "config.ini"
    path.write_bytes(begins + ORIGINAL.read_bytes().replace(b"\n", ends))
    settings = load(path, {})
    assert (settings.database.host, settings.database.port) == ("localhost", 5432)
    assert (settings.database.database, settings.database.username) == ("dvndb", "dvnapp")
    assert text_of(settings.database.password) == "xx;xx#xx%(xx)s"
    assert settings.default_store == "file"
    assert settings.stores == {"file": FileStoreSettings(type="file", directory=Path("/usr/local/dvn/data"))}
    destination = settings.destinations["default"]
    assert isinstance(destination, SshDestinationSettings)
    assert (destination.host, destination.port, destination.username, destination.directory) == (
        "backup.example.edu",
        22,
        "backup",
        "/dataverse_backup",
    )
    assert settings.notifications.email == ["somebody@example.edu"]
    assert settings.ledger_url == make_url("postgresql+psycopg://dvnapp@localhost:5432/backupdb").set(
        password="xx;xx#xx%(xx)s"
    )


def test_what_is_generated_loads_as_it_stands(tmp_path: Path) -> None:
    settings = loaded(tmp_path, generate())
    assert settings.database.port == 5432
    assert list(settings.destinations) == ["default"]
    assert settings.warnings == []


def test_what_is_generated_and_commented_out_is_known_and_valid(tmp_path: Path) -> None:
    text = generate().replace("[Store ID]", "[Store other]").replace("[Backup NAME]", "[Backup second]")
    lines = [line.removeprefix("; ") if _is_setting(line) else line for line in text.splitlines()]
    settings = loaded(tmp_path, "\n".join(lines))
    assert set(settings.stores) == {"file", "other"}
    assert set(settings.destinations) == {"default", "second", "BUCKET", "CONTAINER"}
    assert settings.notifications.email == ["admin@example.edu"]


def _is_setting(line: str) -> bool:
    words = line.removeprefix("; ").split(" ")
    return line.startswith("; ") and (words[0].startswith("[") or (words[0].endswith(":") and len(words) < 3))


def test_the_configuration_of_the_demo_loads(tmp_path: Path) -> None:
    folders = {"file": tmp_path / "file", "local": tmp_path / "local", "backup": tmp_path / "backup"}
    text = CONFIGURATION.format(host="localhost", port=5433, database="dvndb", role="r", password="p", **folders)
    settings = loaded(tmp_path, text)
    assert set(settings.stores) == {"file", "local", "trsa", "globusm"}
    destination = settings.destinations["default"]
    assert isinstance(destination, FilesystemDestinationSettings)
    assert destination.directory == folders["backup"]


def test_words_are_the_same_in_any_case_and_store_ids_are_not(tmp_path: Path) -> None:
    text = (
        "[DATABASE]\nhOST = db\n[STORE Big]\nTYPE: FILE\nDirectory: /big\n"
        "[store big]\ntype: file\ndirectory: /small\n[BACKUP]\nSTORAGETYPE: FileSystem\nDIRECTORY: /b\n"
    )
    settings = loaded(tmp_path, text)
    assert settings.database.host == "db"
    directories = {name: str(getattr(store, "directory", "")) for name, store in settings.stores.items()}
    assert directories == {"Big": "/big", "big": "/small"}
    assert list(settings.destinations) == ["default"]


def test_local_paths_are_relative_to_the_file_and_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    text = (
        "[Repository]\nFileSystemDirectory: files\n[Backup]\nSshHost: h\nBackupDirectory: ~/backup\n"
        "SshIdentityFile: ~/.ssh/key\nSshKnownHosts: hosts\n"
        "[Backup local]\nStorageType: filesystem\nBackupDirectory: b\n"
    )
    settings = loaded(tmp_path, text)
    assert settings.stores["file"] == FileStoreSettings(type="file", directory=tmp_path / "files")
    ssh, local = settings.destinations["default"], settings.destinations["local"]
    assert isinstance(ssh, SshDestinationSettings)
    assert ssh.directory == "~/backup"  # of the server: not ours to expand
    assert (ssh.identity_file, ssh.known_hosts) == ("/home/somebody/.ssh/key", str(tmp_path / "hosts"))
    assert isinstance(local, FilesystemDestinationSettings)
    assert local.directory == tmp_path / "b"


def test_modes_sizes_and_numbers_are_read(tmp_path: Path) -> None:
    extra = "FileMode: 600\nDirMode: 0700\nWorkers: 3\nBatchFiles: 7\nBatchBytes: 2 GiB\n"
    destination = loaded(tmp_path, REST + extra).destinations["default"]
    assert isinstance(destination, FilesystemDestinationSettings)
    assert (destination.file_mode, destination.dir_mode) == (0o600, 0o700)
    assert (destination.workers, destination.batch_files, destination.batch_bytes) == (3, 7, 2 << 30)


def test_destinations_can_be_sent_to_workers(tmp_path: Path) -> None:
    destinations = loaded(tmp_path, REST + "[Backup two]\nSshHost: h\nBackupDirectory: d\n").destinations
    assert pickle.loads(pickle.dumps(destinations)) == destinations


def test_the_default_ledger_is_a_file_beside_the_configuration(tmp_path: Path) -> None:
    settings = loaded(tmp_path, REST)
    assert settings.ledger_url == make_url(f"sqlite:///{tmp_path}/ledger.db")
    assert settings.ledger_file == tmp_path / "ledger.db"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("sqlite:///sub/l.db", "sqlite:///{folder}/sub/l.db"),
        ("sqlite:////var/l.db", "sqlite:////var/l.db"),
        ("ledger", "postgresql+psycopg://u:pw@db:5433/ledger?sslmode=require"),
        ("postgresql://a:b@c/d", "postgresql+psycopg://a:b@c/d"),
        ("postgresql://a@c:1/d", "postgresql+psycopg://a:from-environment@c:1/d"),
    ],
)
def test_the_ledger_is_where_backup_database_says(tmp_path: Path, given: str, url: str) -> None:
    text = f"[Database]\nHost: db\nPort: 5433\nUsername: u\nPassword: pw\nSslMode: require\nBackupDatabase: {given}\n"
    settings = loaded(tmp_path, text + REST, {"DATAVERSE_BACKUP_LEDGER_PASSWORD": "from-environment"})
    expected = make_url(url.format(folder=tmp_path))
    assert settings.ledger_url == expected
    assert settings.ledger_file == (Path(expected.database or "") if expected.drivername == "sqlite" else None)


def test_a_ledger_beside_dataverse_goes_through_the_same_socket(tmp_path: Path) -> None:
    text = "[Database]\nHost: /run/postgresql\nPort: 5433\nBackupDatabase: ledger\n"
    url = loaded(tmp_path, text + REST).ledger_url
    _, named = url.get_dialect()().create_connect_args(url)
    assert (named["host"], str(named["port"]), named["dbname"]) == ("/run/postgresql", "5433", "ledger")


def test_passwords_come_from_the_environment_before_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from file\r\nsecond line\n")
    secret.chmod(0o600)
    text = "[Database]\nPasswordFile: secret\n" + REST
    assert text_of(loaded(tmp_path, text).database.password) == "from file"
    environ = {"DATAVERSE_BACKUP_DATABASE_PASSWORD": "from environment"}
    assert text_of(loaded(tmp_path, text, environ).database.password) == "from environment"


def test_a_secret_that_systemd_hands_to_the_service_comes_before_the_file_of_that_name(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for folder, secret, mode in ((credentials, "handed over", 0o440), (tmp_path, "beside", 0o600)):
        (folder / "password").write_text(secret)
        (folder / "password").chmod(mode)
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    handed = loaded(tmp_path, "[Database]\nPasswordFile: password\n" + REST, environ)
    assert (text_of(handed.database.password), handed.warnings) == ("handed over", [])
    for name in ("./password", str(tmp_path / "password")):
        assert (
            text_of(loaded(tmp_path, f"[Database]\nPasswordFile: {name}\n" + REST, environ).database.password)
            == "beside"
        )
    (credentials / "password").unlink()
    assert (
        text_of(loaded(tmp_path, "[Database]\nPasswordFile: password\n" + REST, environ).database.password) == "beside"
    )


def test_without_a_password_it_is_left_to_libpq(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[Database]\nPassword:\n" + REST).database.password is None


@pytest.mark.parametrize("secret", ["[Database]\nPassword: x\n", "[Database]\nBackupDatabase: postgresql://u:x@h/d\n"])
def test_a_password_that_others_can_read_is_warned_of(tmp_path: Path, secret: str) -> None:
    path = written(tmp_path, secret + REST)
    path.chmod(0o640)
    (warning,) = load(path, {}).warnings
    assert "0640" in warning
    assert f"chmod 600 {path}" in warning
    path.chmod(stat.S_IRUSR)
    assert load(path, {}).warnings == []


def test_a_password_file_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    (warning,) = loaded(tmp_path, "[Database]\nPasswordFile: secret\n" + REST).warnings
    assert str(secret) in warning


def test_a_time_zone_knows_its_summer_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = loaded(tmp_path, "[Database]\nTimeZone: Europe/Berlin\n" + REST)
    assert named.database.timezone == ZoneInfo("Europe/Berlin")
    monkeypatch.setenv("TZ", "America/New_York")
    assert loaded(tmp_path, REST).database.timezone == ZoneInfo("America/New_York")


@pytest.mark.parametrize("given", ["a@b.c,d@e.f", "a@b.c; d@e.f;", "a@b.c d@e.f"])
def test_mail_addresses_are_parted_in_any_usual_way(tmp_path: Path, given: str) -> None:
    assert loaded(tmp_path, f"[Notifications]\nEmail: {given}\n{REST}").notifications.email == ["a@b.c", "d@e.f"]


def test_stores_take_the_key_names_of_dataverse(tmp_path: Path) -> None:
    text = (
        "[Store s]\ntype: s3\nlabel: S\nBucket-Name: b\naccess-key: a\nsecret-key: k\nupload-redirect: true\n"
        "path-style-access: true\n"
        "[Store w]\ntype: swift\nDEFAULTENDPOINT: One\n"
        "authurl.One: https://a\nauthUrl.Two: https://b\npassword.One: p\npassword.Two: q\n"
        "username.One: u\nusername.Two: v\n"
    )
    settings = loaded(tmp_path, text + REST)
    s3, swift = settings.stores["s"], settings.stores["w"]
    assert isinstance(s3, S3StoreSettings)
    assert (s3.bucket_name, text_of(s3.secret_key), s3.path_style_access) == ("b", "k", True)
    assert isinstance(swift, SwiftStoreSettings)
    assert swift.auth_url == {"One": "https://a", "Two": "https://b"}
    assert text_of(swift.password["One"]) == "p"


def test_stores_that_are_not_read_are_known(tmp_path: Path) -> None:
    text = "[Store a]\ntype: remote\nbase-url: https://x\n[Store b]\ntype: globus\n[Store c]\ntype: ignore\n"
    stores = loaded(tmp_path, REPOSITORY + BACKUP + text).stores
    assert {name: store.type for name, store in stores.items()} == {
        "file": "file",
        "a": "remote",
        "b": "globus",
        "c": "ignore",
    }
