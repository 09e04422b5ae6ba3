"""Over the system's ``ssh`` program: what it is told, what it may not do, and everything that can happen to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import IDENTITY_KEY, Entry, Failure, Receipt, StoredDigest
from dataverse_backup.destinations.ssh import flights
from dataverse_backup.errors import DestinationLost, DestinationRefused, KeyOccupied, SourceMissing, Unavailable
from dataverse_backup.fixity import Algorithm, Durability, VerifiedBy
from dataverse_backup.stores.memory import MemoryStore
from tests.contract.ssh.test_resuming import DATA as BIG
from tests.contract.ssh.test_resuming import MIB, line_to
from tests.contract.ssh.test_stalls import Ice, quick, refused_in_time
from tests.contract.ssh.uploads import STAGING, objects, stored, upload
from tests.servers.carrying import carried
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dataverse_backup.destinations.base import Upload
    from dataverse_backup.destinations.ssh import SshSettings
    from dataverse_backup.destinations.ssh.carried import CarriedSshDestination


def destination(settings: SshSettings) -> CarriedSshDestination:
    return carried("offsite", settings, STAGING)


def is_carried(one: CarriedSshDestination) -> bool:
    """Whether it is reached by the program, and was by nothing else."""
    return one._carrier is not None and one._other is None


@pytest.fixture
def server(ssh_server: SshServer) -> SshServer:
    return ssh_server


@pytest.fixture
def own_server(server_available: None) -> Iterator[SshServer]:
    del server_available
    with SshServer() as server:
        yield server


def processes() -> list[int]:
    """The ssh programs that run for us."""
    asked = ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=10).stdout
    return [int(pid) for pid, name in map(str.split, listed.splitlines()) if name == "ssh"]


def failures(results: list[Receipt | Failure]) -> list[Exception]:
    return [result.error for result in results if isinstance(result, Failure)]


def test_what_workers_do_needs_nothing_else(server: SshServer) -> None:
    root = server.sandbox()
    with destination(replace(server.settings(root), big_file=MIB)) as one:
        assert one.connect().durable is Durability.YES
        assert one.read_identity() is None
        assert one.sizes(["a", "b"]) == {}
        receipts = stored(one, upload("a"), upload("b", BIG), upload("c", b"", Algorithm.SHA512))
        assert {(r.verified_by, r.durable) for r in receipts} == {(VerifiedBy.REMOTE_HASH, Durability.YES)}
        assert one.sizes(["a", "b", "d"]) == {"a": 10, "b": len(BIG)}
        assert all(isinstance(result, StoredDigest) for result in one.digests(["a", "b"], Algorithm.SHA1))
        assert is_carried(one)
        assert len(processes()) == 1
    assert processes() == []
    assert objects(root) == {"a", "b", "c"}


def test_what_takes_long_to_import_is_not_imported_for_it() -> None:
    program = "import sys, dataverse_backup.destinations.ssh.carried; print({'asyncio', 'asyncssh'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"


def test_receipts_come_while_further_uploads_are_being_sent(server: SshServer) -> None:
    root = server.sandbox()
    last = 8 * flights.FLIGHT_FILES
    taken: list[int] = []
    received: list[Receipt | Failure] = []

    def endless() -> Iterator[Upload]:
        for number in range(last):
            if number > 2 * flights.FLIGHT_FILES and not received:
                time.sleep(0.01)  # however slow the other end is today
            taken.append(number)
            yield upload(f"d/{number}", str(number).encode())

    with destination(server.settings(root)) as one:
        one.connect()
        assert one.streams
        results = one.put(endless())
        received.append(first := next(results))
        assert isinstance(first, Receipt)
        assert len(taken) < last
        assert (root / first.key).read_bytes() == first.key.removeprefix("d/").encode()
        rest = list(results)
    assert not failures([first, *rest])
    assert len({first.key, *(result.key for result in rest)}) == last


def test_a_connection_that_is_lost_fails_what_was_not_taken_yet_too(server: SshServer) -> None:
    root = server.sandbox()
    with destination(server.settings(root)) as one:
        one.connect()

        def lost() -> None:
            (pid,) = processes()
            os.kill(pid, signal.SIGKILL)

        uploads = [upload("a"), upload("b", on_open=lost), *(upload(f"c/{number}") for number in range(600))]
        results = list(one.put(iter(uploads)))
    assert {result.key for result in results} == {one.key for one in uploads}
    assert all(isinstance(error, Unavailable) for error in failures(results))


def test_many_flights_give_each_object_its_name_once_it_is_proven(server: SshServer) -> None:
    root = server.sandbox()
    gone = MemoryStore("store", {})
    uploads = [upload(f"{number % 7}/{number}", b"%d" % number) for number in range(1000)]
    uploads[300:300] = [replace(uploads[0], key="gone", open=lambda: gone.open("gone")), upload("0/0", b"other")]
    (root / "taken").mkdir()
    uploads[600:600] = [upload("taken"), upload("../up"), upload("a", supersede_to=".superseded/a/1")]
    with destination(server.settings(root)) as one:
        results = {id(result): result for result in one.put(uploads)}
    assert len(results) == len(uploads)
    assert [type(error) for error in failures(list(results.values()))].count(SourceMissing) == 1
    assert objects(root) == {result.key for result in results.values() if isinstance(result, Receipt)}
    assert objects(root) == {f"{number % 7}/{number}" for number in range(1000)} | {"a"}
    assert (root / "0" / "0").read_bytes() == b"0"
    assert not [path for path in root.rglob("*") if path.is_file() and ".dataverse-backup" in path.parts]


# Where it is not used


def without_ssh(folder: Path) -> None:
    del folder


def with_another_ssh(folder: Path) -> None:
    (folder / "ssh").write_text("#!/bin/sh\necho 'Dropbear v2024' >&2\nexit 0\n")
    (folder / "ssh").chmod(0o755)


def with_an_ssh_that_hangs_up(folder: Path) -> None:
    (folder / "ssh").write_text('#!/bin/sh\ntest "$1" != -V || { echo OpenSSH_9.9 >&2; exit; }\nexit 255\n')
    (folder / "ssh").chmod(0o755)


def with_an_ssh_that_chatters(folder: Path) -> None:
    (folder / "ssh").write_text('#!/bin/sh\ntest "$1" != -V || { echo OpenSSH_9.9 >&2; exit; }\nexec yes .\n')
    (folder / "ssh").chmod(0o755)


@pytest.mark.parametrize("make", [without_ssh, with_another_ssh, with_an_ssh_that_hangs_up, with_an_ssh_that_chatters])
def test_where_the_program_is_of_no_use_all_goes_over_asyncssh(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    root = server.sandbox()
    one = destination(server.settings(root))
    (tmp_path / "bin").mkdir()
    make(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin") if make is without_ssh else f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with one:
        one.connect()
        stored(one, upload("a"))
        assert one._carrier is None
    assert objects(root) == {"a"}


def test_whoever_does_not_want_the_program_does_not_get_it(server: SshServer) -> None:
    with destination(replace(server.settings(server.sandbox()), uses_program=False)) as one:
        stored(one, upload("a"))
        assert one._carrier is None


def test_an_unknown_host_key_is_refused_in_the_words_of_asyncssh(server: SshServer, tmp_path: Path) -> None:
    settings = server.settings(server.sandbox())
    with destination(settings) as one:
        one._settings = replace(settings, known_hosts=str(tmp_path / "empty"))
        with pytest.raises(DestinationRefused, match="is not known"):
            one.connect()


def test_a_host_key_that_changed_in_mid_run_is_refused(own_server: SshServer) -> None:
    with destination(own_server.settings(own_server.sandbox())) as one:
        stored(one, upload("a"))
        own_server.rotate_host_key()
        own_server.restart()
        (gone,) = one.put([upload("b")])
        assert isinstance(gone, Failure)
        with pytest.raises(DestinationRefused, match="has changed"):
            list(one.put([upload("b")]))


@pytest.mark.usefixtures("server_available")
def test_an_account_whose_login_shell_talks_is_understood(tmp_path: Path) -> None:
    shell = tmp_path / "talks"
    shell.write_text("#!/bin/sh\necho 'Welcome!'; echo .; echo 'last login: never'\nexec /bin/sh \"$@\"\n")
    shell.chmod(0o755)
    with SshServer(login_shell=str(shell)) as talking:
        root = talking.sandbox()
        with destination(talking.settings(root)) as one:
            stored(one, upload("a"))
            assert is_carried(one)
            assert objects(root) == {"a"}


def test_a_python_that_has_gone_is_noticed_and_another_way_found(own_server: SshServer) -> None:
    with destination(own_server.settings(own_server.sandbox())) as one:
        one.connect()
        (own_server.folder / "sshd_config").write_text(
            (own_server.folder / "sshd_config").read_text() + f"ForceCommand {own_server._sftp}\n"
        )
        own_server.restart()
        results = [result for _ in range(3) for result in one.put([upload("a")])]
        assert isinstance(results[-1], Receipt) or isinstance(results[-2], Receipt)
        assert all(isinstance(error, Unavailable | KeyOccupied) for error in failures(results))


# What can happen to it


def kills(pid_of: Callable[[], list[int]]) -> Callable[[], None]:
    def kill() -> None:
        for pid in pid_of():
            os.kill(pid, signal.SIGKILL)

    return kill


@pytest.mark.parametrize("size", [1000, 6_000_000])
@pytest.mark.parametrize("what", ["the program", "the server"])
def test_what_ends_in_the_middle_of_a_batch_leaves_no_name_and_is_made_again(
    own_server: SshServer, size: int, what: str
) -> None:
    root = own_server.sandbox()
    end = kills(processes) if what == "the program" else own_server.restart
    batch = [upload(f"a/{number}", b"x" * size) for number in range(5)]
    with destination(own_server.settings(root)) as one:
        one.connect()
        results = list(one.put([*batch[:3], upload("a/3", b"x" * size, on_open=end), batch[4]]))
        assert [type(error) for error in failures(results)] == [Unavailable] * 5
        assert objects(root) == set()
        stored(one, *batch)
        assert is_carried(one)
    assert objects(root) == {f"a/{number}" for number in range(5)}


def test_our_program_that_is_killed_over_there_is_started_again(own_server: SshServer) -> None:
    root = own_server.sandbox()
    kill = kills(lambda: own_server.processes("python3"))
    with destination(own_server.settings(root)) as one:
        one.connect()
        for number in range(4):
            results = list(one.put([upload("a"), upload("b", on_open=kill if number == 0 else None)]))
            if not failures(results):
                break
            assert all(isinstance(error, Unavailable) for error in failures(results))
        assert objects(root) == {"a", "b"}


@pytest.mark.usefixtures("server_available")
@pytest.mark.parametrize(("frozen", "stall_timeout"), [("", 60.0), ("python3", 2.0)], ids=["all", "our program"])
def test_what_stops_reading_is_unavailable_after_a_while(frozen: str, stall_timeout: float) -> None:
    with SshServer(login_shell="/bin/sh") as server:
        root = server.sandbox()
        with destination(quick(server, root, big_file=1 << 20, stall_timeout=stall_timeout)) as one:
            one.connect()
            refused_in_time(one, Ice(server, frozen))
            stored(one, upload("a/c", BIG))
            assert is_carried(one)
        assert "a/c" in objects(root)


def test_a_broken_line_costs_no_more_than_what_was_on_its_way(server: SshServer) -> None:
    root = server.sandbox()
    with line_to(server, root) as (settings, line), destination(settings) as one:
        line.cuts = 0  # not the probing
        one.connect()
        line.cuts = 1
        (failure,) = one.put([upload("a/b", BIG)])
        assert isinstance(failure, Failure)
        assert isinstance(failure.error, Unavailable)
        (receipt,) = stored(one, upload("a/b", BIG))
        assert receipt.kept >= MIB
    assert (root / "a/b").read_bytes() == BIG
    assert [path for path in root.rglob("*") if path.is_file()] == [root / "a/b"]


def test_what_is_abandoned_leaves_neither_a_process_nor_anything_in_staging(server: SshServer) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    root = server.sandbox()
    with destination(server.settings(root)) as one:
        one.connect()
        with pytest.raises(KeyboardInterrupt):
            list(one.put([upload("a"), upload("b", on_open=interrupt)]))
        assert processes() == []
        assert [path for path in root.rglob("*") if path.is_file()] == []
        stored(one, upload("a"))


def test_a_worker_that_is_killed_takes_its_program_along(server: SshServer, tmp_path: Path) -> None:
    root = server.sandbox()
    one = destination(server.settings(root))
    child = os.fork()
    if child == 0:
        one.connect()
        (tmp_path / "pid").write_text(str(processes()[0]))
        time.sleep(60)
        os._exit(0)
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    program = int((tmp_path / "pid").read_text())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while is_alive(program):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    one.close()


def is_alive(pid: int) -> bool:
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=10
    )
    return bool(listed.stdout.strip()) and not listed.stdout.startswith("Z")


# Roots that are another's


def swap(root: Path) -> None:
    root.rename(root.with_name(f"{root.name}-unmounted"))
    root.mkdir()


def ours(one: CarriedSshDestination, root: Path) -> None:
    (root / IDENTITY_KEY).parent.mkdir(parents=True)
    (root / IDENTITY_KEY).write_text("ledger-1\n")
    one.connect()
    assert one.read_identity() == "ledger-1"


def test_a_root_that_is_swapped_under_us_gets_nothing_and_says_nothing(server: SshServer) -> None:
    root = server.sandbox()
    calls: list[Callable[[CarriedSshDestination], object]] = [
        lambda one: list(one.digests(["a"], Algorithm.MD5)),
        lambda one: list(one.put([upload("b")])),
        lambda one: one.sizes(["a"]),
        lambda one: one.open("a"),
    ]
    with destination(server.settings(root)) as one:
        ours(one, root)
        stored(one, upload("a"))
        swap(root)
        for call in calls:
            for _ in range(2):
                with pytest.raises(DestinationRefused, match="identity"):
                    call(one)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("big_file", [1, 1 << 30])
def test_a_root_that_is_swapped_in_the_middle_of_a_batch_gets_no_name(server: SshServer, big_file: int) -> None:
    root = server.sandbox()
    batch: list[Upload] = [upload("a"), upload("b", on_open=lambda: swap(root)), upload("c")]
    with destination(replace(server.settings(root), big_file=big_file)) as one:
        ours(one, root)
        with pytest.raises(DestinationRefused, match="identity"):
            list(one.put(batch))
    assert list(root.iterdir()) == []
    assert objects(root.with_name(f"{root.name}-unmounted")) == set()


# Servers with little room


@pytest.mark.usefixtures("server_available")
def test_a_server_that_allows_one_session_is_enough() -> None:
    with SshServer() as narrow:
        config = narrow.folder / "sshd_config"
        settings = narrow.settings(narrow.sandbox())
        with destination(settings) as one:
            config.write_text(f"{config.read_text()}MaxSessions 1\n")
            narrow.restart()
            stored(one, upload("a"))
            assert is_carried(one)


def test_a_server_that_allows_one_connection_is_enough_for_what_is_out_of_the_ordinary_too(server: SshServer) -> None:
    root = server.sandbox()
    with line_to(server, root) as (settings, line):
        line.cuts = 0
        with destination(settings) as one:
            line.most = 1
            stored(one, upload("a"))
            stored(one, upload("b"), upload("a", b"other", supersede_to=".superseded/a/1"))
            stream = one.open("a")
            assert stream.read(5) == b"other"
            stream.close()
            made = one._others()._session
            stored(one, upload("c"))
            assert one._others()._session is made  # for a server that has not noticed that we left refuses us
    assert objects(root) == {"a", "b", "c", ".superseded/a/1"}


def test_a_server_that_is_gone_is_lost_and_used_again_when_it_is_back(own_server: SshServer) -> None:
    with destination(own_server.settings(own_server.sandbox())) as one:
        one.connect()
        own_server.stop()
        results = [result for _ in range(2) for result in one.put([upload("a")])]
        assert [type(error) for error in failures(results)] == [Unavailable] * 2
        with pytest.raises(DestinationLost):
            one.sizes(["a"])
        (found,) = one.digests(["a"], Algorithm.MD5)
        assert isinstance(found, Failure)
        own_server.start()
        stored(one, upload("a"))
        assert one._carrier is not None


# What lies in a folder


def test_that_nothing_lies_in_a_folder_is_seen_without_another_connection(server: SshServer) -> None:
    root = server.sandbox()
    with destination(server.settings(root)) as one:
        ours(one, root)
        assert list(one.entries(".dataverse-backup/database")) == []
        assert is_carried(one)
        (root / ".dataverse-backup" / "database").mkdir()
        assert list(one.entries(".dataverse-backup/database")) == []
        assert is_carried(one)
        (root / ".dataverse-backup" / "database" / "dump").write_text("123")
        assert list(one.entries(".dataverse-backup/database")) == [Entry(".dataverse-backup/database/dump", 3)]


def test_nothing_is_said_to_lie_in_a_folder_of_a_root_that_was_swapped(server: SshServer) -> None:
    root = server.sandbox()
    with destination(server.settings(root)) as one:
        ours(one, root)
        swap(root)
        with pytest.raises(DestinationRefused, match="identity"):
            list(one.entries(".dataverse-backup/database"))
