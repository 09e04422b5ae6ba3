"""Measure what we claim about speed, side by side with what an administrator could use instead.

Every contender copies the same files from one disk to the same disk, in turns; every run begins with an empty
destination and, for ours, an empty ledger.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import auditing, cluster, kills, nothing_to_do, page, per_file, timeline
from benchmarks.bench import PAGE, WAYS, Workload, names_of_workloads, opened, usual_delays, workloads
from benchmarks.contents import contents
from benchmarks.link import ceiling
from benchmarks.measuring import CommandFailed
from benchmarks.scratch import scratch
from benchmarks.table import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERYTHING = "page"
IN_PAGE = ("no-op", "audit", "link")
"""What has no contenders, and is on the page; but for the cluster, which takes minutes for each round."""
CONNECTIONS = (1, 4, 32)
ROUND_TRIPS = (30, 100)


def main() -> None:
    """Do what is asked for; ends with 1 where a contender fails, or something was lost."""
    parser = _parser()
    options = parser.parse_args()
    if options.list:
        _list()
        return
    unknown = {*options.what} - {EVERYTHING, *names_of_workloads(), *OTHERS} | {
        *(options.contenders or ())
    } - _all_contenders()
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}: see --list")
    try:
        with scratch(options.folder, is_quick=options.quick) as options.folder:
            sys.exit(_run(options))
    except CommandFailed as failed:
        sys.exit(f"bench: {failed}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("scripts/bench", description=__doc__)
    add = parser.add_argument
    add(
        "what",
        nargs="*",
        metavar="WORKLOAD",
        help="see --list; by default all that has contenders, which takes hours; page: all that performance.md shows",
    )
    add("--list", action="store_true", help="say what can be measured, and who takes part")
    add("--quick", action="store_true", help="with few small files: not to compare, only to see that all works")
    add("--rounds", type=int, default=3, metavar="N", help="how many turns everybody has (3)")
    add("--delay", type=_numbers, metavar="MS", help="round trips in milliseconds, 0,30,100; by default as --list says")
    add("--contenders", type=_names, metavar="NAMES", help="who takes part: ours,rsync,tar; by default all that can")
    add("--set", action="append", default=[], metavar="LINE", help="a further line of our [Backup]: 'Workers: 4'")
    add("--folder", type=Path, help="a folder on the disk to be used; by default that of temporary files")
    add("--write", action="store_true", help="put the tables into docs/explanation/performance.md, too")
    add("--rows", type=int, default=1_000_000, metavar="N", help="no-op: how many datafiles (1,000,000)")
    add("--kills", type=int, default=50, metavar="N", help="kills: how many (50)")
    return parser


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    return text.split(",")


def _all_contenders() -> set[str]:
    return {one.name for make in WAYS.values() for one in make(0, ()).contenders()}


def _list() -> None:
    for content in contents(quick=False).values():
        print(f"{content.name:8} {content.what}")
    for way, make in WAYS.items():
        print()
        for name in (name for name in names_of_workloads() if name.startswith(f"{way}-")):
            print(f"{name:14} {', '.join(f'{delay:g}' for delay in usual_delays(name))} ms")
        for one in make(0, ()).contenders():
            print(f"    {one.name:14} {one.proof}{'' if one.is_here else f'; {one.program} is not here'}")
    print()
    print(f"{EVERYTHING:14} all that performance.md shows, with who is close there: about half an hour with 3 rounds")
    for name, (what, _) in OTHERS.items():
        print(f"{name:14} {what}")


def _run(options: argparse.Namespace) -> int:
    """What is asked for, one after the other; the worst of their exit codes."""
    names = options.what or names_of_workloads()
    if EVERYTHING in names:
        names = [*(name for name in names if name != EVERYTHING), *IN_PAGE]
        _measure(list(_page()), options)
    _compare([name for name in names if name not in OTHERS], options)
    return max((OTHERS[name][1](options) for name in names if name in OTHERS), default=0)


def _page() -> Iterator[tuple[Workload, list[str] | None]]:
    for (name, delay), who in PAGE.items():
        way, content = name.split("-", 1)
        yield Workload(way, content, delay), who.split(",")


def _compare(names: list[str], options: argparse.Namespace) -> None:
    _measure([(workload, options.contenders) for workload in workloads(names, options.delay)], options)


def _measure(chosen: list[tuple[Workload, list[str] | None]], options: argparse.Namespace) -> None:
    if not chosen:
        return
    with opened(options.folder, options.set, is_quick=options.quick) as bench:
        for workload, contenders in chosen:
            result = bench.measure(workload, options.rounds, contenders)
            print(f"\n{result.title}\n\n{table_of(result.scores)}", flush=True)
            if options.write:
                page.write_result(result, options.rounds, bench.folder)


def _no_op(options: argparse.Namespace) -> int:
    said = nothing_to_do.run(options.rows)
    print(said)
    if options.write:
        page.write_words("no-op", said)
    return 0


def _per_file(options: argparse.Namespace) -> int:
    print(per_file.run(1_000 if options.quick else 10_000, options.rounds, options.set, options.folder))
    return 0


def _audit(options: argparse.Namespace) -> int:
    said = auditing.run(1_000 if options.quick else 10_000, options.rounds, options.set, options.folder)
    print(said)
    if options.write:
        page.write_words("audit", said)
    return 0


def _timeline(options: argparse.Namespace) -> int:
    for round_trip in options.delay or (0,):
        print(timeline.run(1_000 if options.quick else 10_000, round_trip, options.set, options.folder))
    return 0


def _kills(options: argparse.Namespace) -> int:
    return kills.run(options.kills)


def _cluster(options: argparse.Namespace) -> int:
    said = cluster.run(options.rounds, 60 if options.quick else cluster.FILES, options.folder)
    print(said)
    if options.write:
        page.write_words("cluster", said)
    return 0


def _link(options: argparse.Namespace) -> int:
    said = "\n".join(f"* round trip {round_trip} ms: {_ceilings(round_trip)}" for round_trip in ROUND_TRIPS)
    print(said)
    if options.write:
        page.write_words("link", said)
    return 0


def _ceilings(round_trip: float) -> str:
    return ", ".join(f"{ceiling(round_trip, number):,.0f} MiB/s by {number} connections" for number in CONNECTIONS)


OTHERS: dict[str, tuple[str, Callable[[argparse.Namespace], int]]] = {
    "no-op": ("how long a run takes that has nothing to do, and how much memory", _no_op),
    "per-file": ("what small files take of the processor, told apart by who takes it", _per_file),
    "audit": ("how long it takes to read small copies over ssh again, beside md5sum by hand", _audit),
    "timeline": ("when one of our runs has sent and recorded, and which processes take the processor", _timeline),
    "kills": ("what is left when runs are killed at any moment", _kills),
    "cluster": ("how much faster four workers of a Dask cluster are than one, over a slow link", _cluster),
    "link": ("how much the link with a delay passes on", _link),
}
"""What has no contenders."""
