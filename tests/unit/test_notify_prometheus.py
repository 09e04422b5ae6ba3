"""The file for node_exporter, read by the official parser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dataverse_backup.errors import NotificationError
from dataverse_backup.notify import prometheus
from tests.contract.ledger_cases import HERE, key_of
from tests.ordinary_user import open_folder, ordinary_user
from tests.unit.memory_world import World

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.ledger.base import RunRecord


def figures(path: Path) -> dict[tuple[str, ...], float]:
    """Each figure by its name, without the prefix, and the values of its labels."""
    families = text_string_to_metric_families(path.read_text())
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.name.startswith("dataverse_backup_") for sample in samples)
    return {(one.name.removeprefix("dataverse_backup_"), *one.labels.values()): one.value for one in samples}


@pytest.fixture
def world() -> World:
    """Three datafiles that are well and one that is missing."""
    made = World()
    for number in (1, 2, 3):
        made.has(number)
    missing = made.has(4)
    del made.store.objects[key_of(missing)]
    return made


def ran(world: World, outcome: str) -> RunRecord:
    world.run()
    return world.ledger.end_run(next(world.ledger.runs()).id, outcome)


def test_where_every_destination_stands(world: World, tmp_path: Path) -> None:
    run = ran(world, "failures")
    path = tmp_path / "backup.prom"
    prometheus.write(path, world.ledger, [HERE, "second"])
    found = figures(path)
    assert run.ended is not None
    assert found["files", HERE, "OK"] == 3
    assert found["files", HERE, "FAIL_READ"] == 1
    assert found["bytes", HERE, "OK"] == 12
    assert found["files", "second", "OK"] == 0
    assert found["last_run_files", HERE, "failed"] == 1
    assert found["last_run_outcome", HERE, "failures"] == 1
    assert found["last_run_outcome", HERE, "ok"] == 0
    assert found["last_run_sent_bytes", HERE] == 12
    assert found["last_run_end_timestamp_seconds", HERE] == pytest.approx(run.ended.timestamp())
    assert found["last_run_duration_seconds", HERE] == pytest.approx((run.ended - run.started).total_seconds())
    assert found["last_success_timestamp_seconds", HERE] == found["last_success_timestamp_seconds", "second"] == 0
    assert ("last_run_end_timestamp_seconds", "second") not in found


def test_the_last_success_stays_when_later_runs_fail_or_are_killed(world: World, tmp_path: Path) -> None:
    good = ran(world, "ok")
    ran(world, "lost")
    killed = world.ledger.begin_run("backup", HERE)
    prometheus.write(tmp_path / "x.prom", world.ledger, [HERE])
    found = figures(tmp_path / "x.prom")
    assert good.ended is not None
    assert found["last_success_timestamp_seconds", HERE] == pytest.approx(good.ended.timestamp())
    assert found["last_run_outcome", HERE, "lost"] == 1
    newest = world.ledger.run(killed)
    assert newest is not None
    assert found["last_run_start_timestamp_seconds", HERE] == pytest.approx(newest.started.timestamp())


def test_the_oldest_datafile_without_a_copy_has_an_age(world: World, tmp_path: Path) -> None:
    ran(world, "failures")
    created = world.catalogue.rows_now[4].created
    assert created is not None
    now = created + timedelta(days=3)
    prometheus.write(tmp_path / "x.prom", world.ledger, [HERE], now=now)
    assert figures(tmp_path / "x.prom")["oldest_unproven_age_seconds", HERE] == 3 * 86_400
    world.has(4)
    ran(world, "ok")
    prometheus.write(tmp_path / "x.prom", world.ledger, [HERE], now=datetime.now(UTC))
    assert figures(tmp_path / "x.prom")["oldest_unproven_age_seconds", HERE] == 0


def test_no_figure_has_a_label_for_a_file(world: World, tmp_path: Path) -> None:
    prometheus.write(tmp_path / "x.prom", world.ledger, [HERE])
    count = len(figures(tmp_path / "x.prom"))
    for number in range(10, 60):
        world.has(number, label=f"label {number}")
    world.run()
    prometheus.write(tmp_path / "x.prom", world.ledger, [HERE])
    assert len(figures(tmp_path / "x.prom")) == count + 1  # when that run began
    assert "label" not in (tmp_path / "x.prom").read_text()


def test_others_may_read_it_and_nothing_else_is_left_there(world: World, tmp_path: Path) -> None:
    for _ in range(2):
        prometheus.write(tmp_path / "x.prom", world.ledger, [HERE])
    assert [path.name for path in tmp_path.iterdir()] == ["x.prom"]
    assert (tmp_path / "x.prom").stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_missing_or_closed_is_told_with_its_path(world: World) -> None:
    with open_folder() as folder, ordinary_user():
        for path in (folder / "none" / "x.prom", folder / "x.prom"):
            with pytest.raises(NotificationError, match=r"PrometheusFile .*x\.prom cannot be written: ") as error:
                prometheus.write(path, world.ledger, [HERE])
            assert error.value.hint
        assert list(folder.iterdir()) == []
