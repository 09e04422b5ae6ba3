"""The page that shows what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import page
from benchmarks.bench import names_of_workloads, usual_delays
from benchmarks.measuring import Command, CommandFailed, cost_of

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_has_one_place_for_each_table() -> None:
    text = page.PAGE.read_text("utf-8")
    places = [f"{name} {delay:g}" for name in names_of_workloads() for delay in usual_delays(name)]
    for place in (*places, "no-op", "link"):
        assert text.count(f"<!-- measured: {place} -->") == 1, place


def test_what_was_measured_replaces_what_stood_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text("a\n<!-- measured: x 0 -->\nold\n<!-- end -->\nb\n<!-- measured: x 30 -->\nstays\n<!-- end -->\n")
    monkeypatch.setattr(page, "PAGE", copy)
    page.write("x 0", r"new \1")
    expected = "a\n<!-- measured: x 0 -->\n\nnew \\1\n\n<!-- end -->\nb\n<!-- measured: x 30 -->\nstays\n<!-- end -->\n"
    assert copy.read_text() == expected
    with pytest.raises(CommandFailed, match="no place for x 5"):
        page.write("x 5", "new")


def test_a_command_is_charged_for_what_its_children_do_and_outlive(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(bytes(5_000_000))
    busy = "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"
    script = f"cat {content} >/dev/null; ( sleep 0.3; {busy} ) >/dev/null 2>&1 & exec sh -c '{busy}; sleep 0.2'"
    cost = cost_of(Command(["sh", "-c", script]), timeout=60)
    alone = cost_of(Command(["sh", "-c", f"exec sh -c '{busy}'"]), timeout=60)
    assert cost.processor > 1.5 * alone.processor
    assert 5_000_000 <= cost.read_by_all < 6_000_000
    assert cost.memory > 0


def test_a_command_that_fails_is_not_measured() -> None:
    with pytest.raises(CommandFailed, match=r"(?s)ended with 3 .*so it is"):
        cost_of(Command(["sh", "-c", "echo so it is; exit 3"]), timeout=60)
