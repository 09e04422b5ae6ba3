"""The installed command on the sample Dataverse: some of its files are in Swift, and so is the destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from dataverse_backup.destinations.base import is_own
from demo.proof import differences

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.installation import Installation
    from tests.servers.swift import SwiftServer

SOME_FAILED, COULD_NOT_RUN = 3, 1


@pytest.fixture
def container(swift_server: SwiftServer, installation: Installation) -> str:
    """The name of the destination's container, which is not there yet."""
    name = swift_server.new_container()
    installation.back_up_to_swift(swift_server, name, "SwiftSegmentSize: 1M")
    return name


def move_to_swift(installation: Installation, server: SwiftServer) -> int:
    """Let the files of store ``local`` be in Swift, as Dataverse 4.10 and later puts them there; how many."""
    access, moved = server.access, 0
    installation.extra = (
        f"[Store swift]\ntype: swift\ndefaultEndpoint: endpoint1\nauthType.endpoint1: basic\n"
        f"authUrl.endpoint1: {access.auth_url}\nusername.endpoint1: {access.user}\npassword.endpoint1: {access.key}\n"
    )
    with psycopg.connect(installation.dsn) as database:
        rows = database.execute(
            "SELECT file.id, file.storageidentifier, dataset.authority, dataset.identifier"
            " FROM dvobject file JOIN dvobject dataset ON dataset.id = file.owner_id"
            " WHERE file.storageidentifier LIKE 'local://%'"
        ).fetchall()
        for datafile_id, identifier, authority, dataset in rows:
            name = identifier.removeprefix("local://")
            main = installation.sample.stores["local"] / authority / dataset / name
            container = f"doi-{authority}".replace(".", "-").replace("/", "-")
            if not main.is_file():
                continue
            for suffix in ("", ".orig"):
                _upload(server, container, f"{dataset}/{name}{suffix}", main.with_name(main.name + suffix))
            new = f"swift://endpoint1:{container}:{dataset}/{name}"
            database.execute("UPDATE dvobject SET storageidentifier = %s WHERE id = %s", (new, datafile_id))
            moved += 1
    return moved


def _upload(server: SwiftServer, container: str, name: str, path: Path) -> None:
    if path.is_file():
        with server.hand.connection() as connection:
            connection.put_container(container)
            connection.put_object(container, name, path.read_bytes())


def listed_objects(server: SwiftServer, container: str) -> dict[str, str]:
    """Every copy, and when it was stored."""
    with server.hand.connection() as connection:
        _, found = connection.get_container(container, full_listing=True)
    return {one["name"]: one["last_modified"] for one in found if not is_own(one["name"])}


def fetch(server: SwiftServer, container: str, folder: Path) -> Path:
    """Every copy as a file in *folder*."""
    for key in listed_objects(server, container):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with server.hand.connection() as connection:
            path.write_bytes(connection.get_object(container, key)[1])
    return folder


def test_every_copy_is_proven_and_none_is_made_twice(
    installation: Installation, swift_server: SwiftServer, container: str, tmp_path: Path
) -> None:
    assert move_to_swift(installation, swift_server) > 1
    checked = installation.run("check")
    assert "store swift: OK" in checked.stdout
    assert "destination default: connect: OK (proves copies by read-back)" in checked.stdout
    assert "destination default: write, prove, read back: OK (verified by read-back, durable: yes)" in checked.stdout

    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED, answer.stderr
    fetched = fetch(swift_server, container, tmp_path / "fetched")
    assert differences(installation.sample, installation.listed_with_companions(), fetched) == []
    before = listed_objects(swift_server, container)
    assert installation.run("backup").returncode == SOME_FAILED
    assert listed_objects(swift_server, container) == before


@pytest.mark.usefixtures("container")
def test_what_is_wrong_with_a_login_is_said_and_nothing_is_recorded(installation: Installation) -> None:
    installation.destination = installation.destination.replace("SwiftKey: testing", "SwiftKey: secret-word")
    checked = installation.run("check")
    assert "destination default: FAILED" in checked.stdout
    assert "hint: are user, key, project and the address of the login right?" in checked.stdout
    answer = installation.run("backup")
    assert answer.returncode == COULD_NOT_RUN
    assert "secret-word" not in answer.stdout + answer.stderr + checked.stdout + checked.stderr
    assert installation.listed() == []
