"""The installed command with a real Dask scheduler and workers, which are killed."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from tests.acceptance.freezing import some_copy_in
from tests.acceptance.small import small_files, unequal_copies, untruths
from tests.servers.dask_cluster import DaskScheduler
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation

COULD_NOT_RUN, USAGE, SOME_FAILED, DAMAGE = 1, 2, 3, 4
FILES = 120


@contextmanager
def clustered(site: Installation, workers: int) -> Iterator[DaskScheduler]:
    """A scheduler with workers that read the configuration of *site*, which names it."""
    folder = Path(mkdtemp(prefix="dask-", dir=site.folder))
    with DaskScheduler(folder, {"DATAVERSE_BACKUP_CONFIG": str(site.configure())}) as scheduler:
        site.back_up_to_folder("BatchFiles: 3", f"Scheduler: {scheduler.address}")
        site.configure()
        for _ in range(workers):
            scheduler.start_worker()
        yield scheduler


def when_begun(site: Installation) -> None:
    """Wait until something was copied."""
    deadline, is_begun = time.monotonic() + 60, some_copy_in(site.backup)
    while not is_begun():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_workers_that_are_killed_cost_nothing_but_time(small: Small) -> None:
    site = small(small_files(FILES))
    with clustered(site, 2) as scheduler:
        run = site.start("backup")
        when_begun(site)
        scheduler.workers[0].kill_process()
        time.sleep(1.0)
        scheduler.workers[1].kill()
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert unequal_copies(site.sample, site.backup) == []
    assert Counter(line["status"] for line in site.listed()) == {"OK": FILES}


def test_a_scheduler_that_is_killed_ends_the_run_the_next_one_goes_on_and_audit_and_restore_work_there(
    small: Small,
) -> None:
    site = small(small_files(FILES))
    with clustered(site, 1) as scheduler:
        run = site.start("backup")
        when_begun(site)
        scheduler.kill()
        said, _ = run.communicate(timeout=60)
    assert run.returncode == SOME_FAILED, said
    assert f"the scheduler {scheduler.address} is lost" in said
    assert untruths(site.sample, site.listed(), site.backup) == []
    with clustered(site, 1) as scheduler:
        answer = site.run("backup")
        assert unequal_copies(site.sample, site.backup) == []
        damaged = site.backup / site.listed()[0]["key"]
        damaged.write_bytes(damaged.read_bytes()[::-1] + b"!")
        audit = site.run("audit", "--all")
        primaries = [path for store in site.sample.stores.values() for path in store.rglob("*") if path.is_file()]
        contents = {path: path.read_bytes() for path in primaries}
        for path in [path for path in primaries if path.name != damaged.name][:10]:
            path.unlink()
        elsewhere = site.run("restore", "--all", "--to", str(site.folder / "x"), "--scheduler", scheduler.address)
        in_place = ("restore", "--all", "--in-place", "--fill-empty-stores", "--scheduler", scheduler.address)
        restore = site.run(*in_place)
    assert answer.returncode == 0, answer.stderr
    assert audit.returncode == DAMAGE, audit.stderr
    assert damaged.name in audit.stdout
    assert f"{FILES - 1} intact" in audit.stdout + audit.stderr
    assert elsewhere.returncode == USAGE
    assert restore.returncode == 0, restore.stderr
    assert "10 files restored to the stores" in restore.stdout, restore.stdout
    assert {path: path.read_bytes() for path in primaries} == contents
    assert Counter(line["status"] for line in site.listed()) == {"OK": FILES - 1, "FAIL_WRITE": 1}


def test_a_scheduler_that_is_not_there_is_an_error_with_a_hint(small: Small) -> None:
    site = small(small_files(1))
    address = f"tcp://127.0.0.1:{free_port()}"
    answer = site.run("backup", "--scheduler", address, timeout=60)
    assert answer.returncode == COULD_NOT_RUN
    assert f"the scheduler {address} cannot be reached" in answer.stderr
    assert "hint:" in answer.stderr
    assert not list(site.backup.iterdir())
