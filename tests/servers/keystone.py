"""A real Keystone on this machine: SQLite, behind waitress, one project that may use Swift."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import requests
from keystoneauth1.identity import V3Password
from keystoneauth1.session import Session

from dataverse_backup.services.swift import SwiftAccess
from tests.servers.ports import free_port

_ADMIN_PASSWORD, _SERVICE_PASSWORD = "adminpass", "swiftpass"
TOKEN_MEMORY = 1
"""Seconds that Swift remembers a token before it asks again."""
_REGION = "RegionOne"
_STARTING_TIMEOUT = 60.0
_REPOSITORY = Path(__file__).parents[2]


class NoKeystone(Exception):
    """Keystone, or what serves it, is not installed beside this Python."""


class KeystoneServer:
    """Keystone with the user ``tester`` of the project ``test``, and the service user that Swift has."""

    def __init__(self) -> None:
        for package in ("keystone", "keystonemiddleware", "waitress"):
            if find_spec(package) is None:
                raise NoKeystone(f"{package} (the Python package)")
        self.folder = Path()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._administrator = _Identity(self.url, "admin", _ADMIN_PASSWORD, "admin")

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="dataverse-backup-keystone-"))
        try:
            self._configure()
            self._start()
            self._administrator.make_user("service", "swift", _SERVICE_PASSWORD, "admin")
            self._administrator.make_user("test", "tester", "testing", "member")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._administrator.close()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """Where to log in."""
        return f"http://127.0.0.1:{self.port}/v3"

    @property
    def access(self) -> SwiftAccess:
        """How the ordinary user logs in, by password."""
        return SwiftAccess(auth_url=self.url, auth_version="3", user="tester", key="testing", project="test")

    def offer_swift(self, url: str) -> None:
        """Put the Swift at *url* into the catalogue."""
        self._administrator.make_endpoint(f"{url}/v1/AUTH_%(project_id)s")

    def token_filter(self) -> dict[str, str]:
        """How Swift's proxy asks this Keystone about tokens."""
        return {
            "use": "egg:keystonemiddleware#auth_token",
            "auth_url": self.url,
            "www_authenticate_uri": self.url,
            "auth_type": "password",
            "project_domain_id": "default",
            "user_domain_id": "default",
            "project_name": "service",
            "username": "swift",
            "password": _SERVICE_PASSWORD,
            "delay_auth_decision": "true",
            "cache": "swift.cache",
            "token_cache_time": str(TOKEN_MEMORY),
            "include_service_catalog": "false",
            "service_token_roles_required": "true",
        }

    def revoke(self, token: str) -> None:
        """End *token* now."""
        self._administrator.call("DELETE", "/auth/tokens", headers={"X-Subject-Token": token})

    def make_application_credential(self) -> SwiftAccess:
        """A new application credential of the ordinary user."""
        user = _Identity(self.url, "tester", "testing", "test")
        name = {"name": secrets.token_hex(4)}
        made = user.call("POST", f"/users/{user.id}/application_credentials", application_credential=name)
        user.close()
        return SwiftAccess(
            auth_url=self.url,
            auth_version="3",
            application_credential_id=made["id"],
            application_credential_secret=made["secret"],
        )

    def _configure(self) -> None:
        lines = (
            f"[DEFAULT]\nlog_file = {self.folder}/keystone.log",
            f"[database]\nconnection = sqlite:///{self.folder}/keystone.db",
            f"[fernet_tokens]\nkey_repository = {self.folder}/fernet",
            f"[fernet_receipts]\nkey_repository = {self.folder}/fernet",  # it does not start without
            f"[credential]\nkey_repository = {self.folder}/credential",
            "[identity]\npassword_hash_rounds = 4",
            "[cache]\nenabled = true\nbackend = oslo_cache.dict",  # each login takes four times as long without
        )
        (self.folder / "keystone.conf").write_text("\n".join(lines) + "\n")
        for name in ("fernet", "credential"):
            (self.folder / name).mkdir(mode=0o700)
            for number in ("0", "1"):  # what `keystone-manage fernet_setup` makes, without its seconds
                (self.folder / name / number).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))

    def _start(self) -> None:
        configuration = str(self.folder / "keystone.conf")
        environment = os.environ | {
            "OS_KEYSTONE_CONFIG_FILES": configuration,
            "OS_BOOTSTRAP_PASSWORD": _ADMIN_PASSWORD,
            "OS_REGION_NAME": _REGION,
            "PYTHONWARNINGS": "ignore",
        }
        with (self.folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.servers.keystone_process", f"127.0.0.1:{self.port}", configuration],
                cwd=_REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _STARTING_TIMEOUT
        while not _answers(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "serve.log").read_text()[-4000:])
            time.sleep(0.05)


class _Identity:
    """Keystone's own interface, as one user."""

    def __init__(self, url: str, user: str, password: str, project: str) -> None:
        login = V3Password(
            url, password, username=user, user_domain_id="default", project_name=project, project_domain_id="default"
        )
        self._http = requests.Session()
        self._url, self._session = url, Session(auth=login, session=self._http)

    def close(self) -> None:
        self._http.close()

    @property
    def id(self) -> str | None:
        return self._session.get_user_id()

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **what: Any) -> Any:
        """Send *what*; the one thing that the answer holds, or None."""
        answer = self._session.request(self._url + path, method, json=what or None, headers=headers or {})
        return next(iter(answer.json().values())) if answer.content else None

    def make_user(self, project: str, name: str, password: str, role: str) -> None:
        """A user with one role in a new project."""
        made = self.call("POST", "/projects", project={"name": project, "domain_id": "default"})
        user = self.call("POST", "/users", user={"name": name, "password": password, "domain_id": "default"})
        (found,) = (one for one in self.call("GET", "/roles?name=" + role) if one["name"] == role)
        self.call("PUT", f"/projects/{made['id']}/users/{user['id']}/roles/{found['id']}")

    def make_endpoint(self, url: str) -> None:
        """An object store at *url*."""
        service = self.call("POST", "/services", service={"type": "object-store", "name": "swift"})
        endpoint = {"service_id": service["id"], "interface": "public", "region_id": _REGION, "url": url}
        self.call("POST", "/endpoints", endpoint=endpoint)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False
