"""A run's workers in a Dask cluster: real schedulers and workers, which are killed, frozen, and other than ours."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from dask import config as dask_config

from dataverse_backup.cluster import connection, members, scheduler
from dataverse_backup.cluster.connection import Cluster
from dataverse_backup.config import Settings, load
from dataverse_backup.errors import WorkerDied, WorkersLost
from tests.contract import cluster_work
from tests.servers.dask_cluster import DaskScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.dask_cluster import DaskWorker

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = "[Repository]\nFileSystemDirectory: /data\n[Backup]\nStorageType: filesystem\nDirectory: {}\n"


def configured(folder: Path, directory: str = "/backup") -> Settings:
    path = folder / "config.ini"
    path.write_text(CONFIGURATION.format(directory))
    return load(path, {})


@contextmanager
def started(folder: Path, workers: int) -> Iterator[DaskScheduler]:
    """A scheduler whose *workers* read the configuration in *folder*."""
    folder.mkdir(exist_ok=True)
    path = configured(folder).path
    environment = {"PYTHONPATH": str(REPOSITORY), "DATAVERSE_BACKUP_CONFIG": str(path)}
    with DaskScheduler(folder, environment) as one:
        for _ in range(workers):
            one.start_worker()
        yield one


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskScheduler]:
    """A scheduler with two workers; what a test adds it takes away."""
    with started(tmp_path_factory.mktemp("dask"), 2) as one:
        yield one


@pytest.fixture
def own_dask(tmp_path: Path) -> Iterator[DaskScheduler]:
    """A scheduler with one worker, to be killed."""
    with started(tmp_path / "dask", 1) as one:
        yield one


@contextmanager
def cluster(at: DaskScheduler | str, folder: Path, directory: str = "/backup") -> Iterator[Cluster]:
    """A coordinator's view of it."""
    address = at if isinstance(at, str) else at.address
    with Cluster(address, configured(folder, directory), ["default"], cluster_work.nothing) as one:
        yield one


def until(question: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_tasks_are_done_by_all_workers(dask: DaskScheduler, tmp_path: Path) -> None:
    with cluster(dask, tmp_path) as one, one.open_workers(cluster_work.pids, 1) as submit:
        until(lambda: submit.workers == 2)
        results = {submit(0.3).result(30) for _ in range(4)} | {f.result(30) for f in [submit(0.3) for _ in range(4)]}
    assert results <= {pid for worker in dask.workers for pid in worker.pids}
    assert len(results) == 2


def test_what_a_task_raises_is_its_own(dask: DaskScheduler, tmp_path: Path) -> None:
    with cluster(dask, tmp_path) as one, one.open_workers(cluster_work.failing, 1) as submit:
        with pytest.raises(ValueError, match="planned"):
            submit("planned").result(30)
        with pytest.raises(ValueError, match="again"):
            submit("again").result(30)


def test_what_workers_log_is_logged_here(dask: DaskScheduler, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with cluster(dask, tmp_path) as one, one.open_workers(cluster_work.talkative, 1) as submit:
        submit("a-key").result(30)
        until(lambda: "worked on a-key" in caplog.text)
    (record,) = [record for record in caplog.records if record.getMessage() == "worked on a-key"]
    assert record.name == "dataverse_backup.cluster_work"
    facts = record.__dict__["facts"]
    assert facts["key"] == "a-key"
    assert facts["worker"].startswith("tcp://127.0.0.1:")


def test_how_far_workers_have_come_is_heard_here(dask: DaskScheduler, tmp_path: Path) -> None:
    progressing = cluster_work.Progressing()
    with cluster(dask, tmp_path) as one, one.open_workers(progressing, 1) as submit:
        submit("a-destination").result(30)
        until(lambda: progressing.known)
    assert progressing.known == [("a-destination", 7, 1 << 40)]


def test_a_killed_worker_costs_nothing_but_time(dask: DaskScheduler, tmp_path: Path) -> None:
    with cluster(dask, tmp_path) as one, one.open_workers(cluster_work.pids, 1) as submit:
        until(lambda: submit.workers == 2)
        futures = [submit(0.5) for _ in range(8)]
        time.sleep(0.7)
        dask.workers[0].kill_process()
        assert len([future.result(60) for future in futures]) == 8


def test_all_workers_killed_at_once_cost_nothing_but_time(dask: DaskScheduler, tmp_path: Path) -> None:
    with cluster(dask, tmp_path) as one, one.open_workers(partial(cluster_work.gated, tmp_path), 1) as submit:
        until(lambda: submit.workers == 2)
        futures = [submit(None) for _ in range(4)]
        until(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
        former = {pid for worker in dask.workers for pid in worker.pids}
        for worker in dask.workers:
            worker.kill_process()
        (tmp_path / "gate").touch()
        assert not {future.result(60) for future in futures} & former


def test_a_task_that_every_worker_dies_of_is_told_from_the_others(dask: DaskScheduler, tmp_path: Path) -> None:
    with (
        cluster(dask, tmp_path) as one,
        one.open_workers(cluster_work.deadly, 1) as submit,
        one.open_workers(cluster_work.pids, 1) as innocent,
    ):
        deadly = submit(None)
        with pytest.raises(WorkerDied) as died:
            deadly.result(120)
        assert "--memory-limit" in died.value.hint
        assert innocent(0.0).result(60)


def test_a_worker_that_comes_later_is_given_work(dask: DaskScheduler, tmp_path: Path) -> None:
    with cluster(dask, tmp_path) as one, one.open_workers(cluster_work.pids, 1) as submit:
        until(lambda: submit.workers == 2)
        with added(dask) as third:
            until(lambda: submit.workers == 3)
            done = [submit(0.3) for _ in range(9)]
            assert {future.result(30) for future in done} >= set(third.pids)
        until(lambda: submit.workers == 2)


@contextmanager
def added(dask: DaskScheduler, *options: str, **environment: str) -> Iterator[DaskWorker]:
    """A worker that is there for a while."""
    worker = dask.start_worker(*options, **environment)
    try:
        yield worker
    finally:
        worker.kill()
        dask.workers.remove(worker)


def test_a_worker_of_another_configuration_that_comes_later_is_left_out(
    dask: DaskScheduler, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    other = configured(tmp_path / "other", "/elsewhere").path
    with cluster(dask, tmp_path) as one, one.open_workers(cluster_work.pids, 1) as submit:
        until(lambda: submit.workers == 2)
        with added(dask, "--name", "stranger", DATAVERSE_BACKUP_CONFIG=str(other)) as stranger:
            until(lambda: "a worker is left out: stranger" in caplog.text)
            assert "Directory of destination default" in caplog.text
            assert "/elsewhere" not in caplog.text
            done = [submit(0.2) for _ in range(9)]
            assert not {future.result(30) for future in done} & set(stranger.pids)


def test_workers_of_another_configuration_are_named_at_the_start(dask: DaskScheduler, tmp_path: Path) -> None:
    with cluster(dask, tmp_path, "/another-one") as one, pytest.raises(WorkersLost) as lost:
        one.connect()
    lines = lost.value.message.splitlines()
    assert lines[0] == "workers that cannot be used:"
    assert len(lines) > 1
    assert all("tcp://127.0.0.1:" in line and "Directory of destination default" in line for line in lines[1:])
    assert "/another-one" not in lost.value.message


def test_a_worker_of_another_version_is_named_at_the_start(dask: DaskScheduler, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\nreal = metadata.version\n"
        "metadata.version = lambda name: '0.0.1' if name == 'dataverse-backup' else real(name)\n"
    )
    with (
        added(dask, "--name", "old", PYTHONPATH=f"{tmp_path}:{REPOSITORY}") as old,
        cluster(dask, tmp_path) as one,
    ):
        until(lambda: "Registered to" in old.log)
        with pytest.raises(WorkersLost, match=r"old .*dataverse-backup is 0\.0\.1 there and .* here"):
            one.connect()


def test_nobody_waits_for_ever_for_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(members, "FIRST_SECONDS", 1.0)
    with started(tmp_path / "dask", 0) as lonely, cluster(lonely, tmp_path) as one:
        with pytest.raises(WorkersLost, match="has no workers") as lost:
            one.connect()
        assert f"dask worker {lonely.address}" in lost.value.hint
    assert "has no workers yet: waiting" in caplog.text


@pytest.mark.parametrize("takes_connections", [True, False])
def test_an_address_where_nobody_answers_is_an_error_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, takes_connections: bool
) -> None:
    monkeypatch.setattr(scheduler, "CONNECT_SECONDS", 2.0)
    monkeypatch.setattr(scheduler, "CLOSE_SECONDS", 1.0)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if not takes_connections:
            silent.close()
        address = f"tcp://127.0.0.1:{port}"
        with (
            cluster(address, tmp_path) as one,
            pytest.raises(WorkersLost, match=f"the scheduler {address} cannot be reached") as lost,
        ):
            one.connect()
    assert "dask scheduler" in lost.value.hint
    assert time.monotonic() - began < 10


def test_a_scheduler_that_dies_ends_every_task_and_its_workers(own_dask: DaskScheduler, tmp_path: Path) -> None:
    with cluster(own_dask, tmp_path) as one, one.open_workers(cluster_work.pids, 1) as submit:
        futures = [submit(60.0) for _ in range(2)]
        until(lambda: own_dask.workers[0].pids)
        time.sleep(0.5)
        (pid,) = own_dask.workers[0].pids
        own_dask.kill()
        for future in futures:
            with pytest.raises(WorkersLost, match="is lost"):
                future.result(30)
        with pytest.raises(WorkersLost):
            submit(0.0).result(30)
        until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_frozen_scheduler_holds_nobody_for_ever(
    own_dask: DaskScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(scheduler, "CLOSE_SECONDS", 1.0)
    with cluster(own_dask, tmp_path) as one, one.open_workers(cluster_work.pids, 1) as submit:
        submit(0.0).result(30)
        own_dask.send(signal.SIGSTOP)
        with pytest.raises(WorkersLost, match="is lost"):
            submit(0.0).result(30)


def test_nobody_works_on_what_was_dropped(own_dask: DaskScheduler, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    with cluster(own_dask, tmp_path) as one:
        with one.open_workers(cluster_work.Noted(notes), 1) as submit:
            submit(60.0)
            until(lambda: list(notes.glob("begun-*")))
            (pid,) = own_dask.workers[0].pids
        assert not Path(f"/proc/{pid}").exists()
        with one.open_workers(cluster_work.pids, 1) as submit:
            assert submit(0.0).result(60) != pid


def test_nobody_works_for_a_coordinator_that_was_killed(own_dask: DaskScheduler, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    program = (
        "import sys; from pathlib import Path; from tests.contract import cluster_work, test_cluster as t\n"
        f"with t.cluster({own_dask.address!r}, Path({str(tmp_path)!r})) as one:\n"
        f"    with one.open_workers(cluster_work.Noted(Path({str(notes)!r})), 1) as submit:\n"
        "        submit(60.0).result()\n"
    )
    coordinator = subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY)
    until(lambda: list(notes.glob("begun-*")))
    (pid,) = own_dask.workers[0].pids
    coordinator.kill()
    coordinator.wait()
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_worker_makes_its_way_once_and_closes_it_in_the_end(dask: DaskScheduler, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    with cluster(dask, tmp_path) as one:
        with one.open_workers(cluster_work.Noted(notes), 1) as submit:
            until(lambda: submit.workers == 2)
            wait([submit(0.1) for _ in range(12)])
            assert len(list(notes.glob("made-*"))) <= 2
            assert (notes / "one-of-2").exists()  # what there is only so much of, such as bandwidth, is shared
            assert not list(notes.glob("closed-*"))
        until(lambda: len(list(notes.glob("closed-*"))) == len(list(notes.glob("made-*"))))


def test_a_cluster_without_any_worker_left_is_lost_in_the_end(
    own_dask: DaskScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ALONE_SECONDS", 2.0)
    with cluster(own_dask, tmp_path) as one, one.open_workers(cluster_work.pids, 1) as submit:
        future = submit(60.0)
        own_dask.workers[0].kill()
        with pytest.raises(WorkersLost, match="no worker that can be used"):
            future.result(30)


def test_tls_lets_in_whoever_has_a_certificate_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    environment = certified(authority, tmp_path / "ours")
    (tmp_path / "dask").mkdir()
    path = configured(tmp_path / "dask").path
    more = {"PYTHONPATH": str(REPOSITORY), "DATAVERSE_BACKUP_CONFIG": str(path)}
    with DaskScheduler(tmp_path / "dask", {**environment, **more}, scheme="tls") as dask:
        assert dask.address.startswith("tls://")
        dask.start_worker()
        with (
            environment_of_dask(monkeypatch, environment),
            cluster(dask, tmp_path) as one,
            one.open_workers(cluster_work.pids, 1) as submit,
        ):
            assert submit(0.0).result(60) in dask.workers[0].pids
        monkeypatch.setattr(scheduler, "CONNECT_SECONDS", 2.0)
        stranger = certified(trustme.CA(), tmp_path / "theirs")
        with (
            environment_of_dask(monkeypatch, stranger),
            cluster(dask, tmp_path) as one,
            pytest.raises(WorkersLost, match="cannot be reached"),
        ):
            one.connect()
        with cluster(dask, tmp_path) as one, pytest.raises(WorkersLost, match="cannot be reached") as lost:
            one.connect()
        assert "DASK_DISTRIBUTED__COMM__TLS" in lost.value.hint


def certified(authority: trustme.CA, folder: Path) -> dict[str, str]:
    """Certificates of *authority* in *folder*, as the documentation names them in Dask's environment variables."""
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "machine.pem")
    roles = [f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT" for role in ("SCHEDULER", "WORKER", "CLIENT")]
    return {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "ca.pem")} | dict.fromkeys(
        roles, str(folder / "machine.pem")
    )


@contextmanager
def environment_of_dask(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Iterator[None]:
    """Dask's configuration as it is in a process with that *environment*."""
    with monkeypatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        dask_config.refresh()
        yield
    dask_config.refresh()
