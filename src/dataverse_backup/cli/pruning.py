"""`prune`: a plan for people to read, and what came of one that they confirmed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.events import WELL
from dataverse_backup.actions.prune import PruneEnded, Went, plan_of, prune
from dataverse_backup.actions.prune_plan import HOLDS_FOR, Rules
from dataverse_backup.cli.answers import which
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.progress import listing
from dataverse_backup.cli.reading import ledger_to_read
from dataverse_backup.cli.stopping import stopping_on_signals
from dataverse_backup.cli.terminal import out, plain, say_error, size_of, warn
from dataverse_backup.engine import Stop
from dataverse_backup.errors import ConfigurationError, DestinationLost, PruneRefused, printable
from dataverse_backup.wording import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.actions.prune import PruneEvent
    from dataverse_backup.actions.prune_plan import Item, PrunePlan
    from dataverse_backup.config import Settings

SHOWN = 20
"""So many objects of a plan are named; --json names all."""


def show(settings: Settings, names: Sequence[str], *, is_json: bool) -> ExitCode:
    """A plan for each destination; nothing is deleted or written."""
    chosen, failed = chosen_destinations(settings, names), 0
    with ledger_to_read(settings) as ledger, assembly.open_catalogue(settings) as catalogue:
        installation = assembly.make_installation(settings, catalogue, ledger)
        for name in chosen:
            try:
                plan = plan_of(installation, assembly.make_site(settings, name), _rules(settings, name))
            except (DestinationLost, PruneRefused) as error:
                say_error(error)
                failed += 1
                continue
            with plan:
                (_print_objects if is_json else _print)(plan)
    if failed:
        return ExitCode.COULD_NOT_RUN if failed == len(chosen) else ExitCode.FAILURES
    return ExitCode.OK


def _rules(settings: Settings, name: str) -> Rules:
    destination = settings.destinations[name]
    return Rules(timedelta(seconds=destination.prune_after), destination.prune_share)


def _print(plan: PrunePlan) -> None:
    """What people need to know before they confirm."""
    lines = [f"{plan.destination}:"]
    for what, amounts in (
        ("copies of files that left Dataverse", plan.gone),
        ("copies of former content, moved aside", plan.aside),
    ):
        told = f", {size_of(amounts.size)}" if amounts.objects else ""
        lines.append(f"  {amounts.objects:,} {what} more than {_days(plan.rules)} ago{told}")
    if plan.back:
        lines.append(f"  {plan.back:,} that had left and are in Dataverse again stay")
    if plan.unasked:
        lines.append(f"  {plan.unasked:,} of logos stay: their store cannot say whether these are there")
    if plan.unsafe:
        lines.append(f"  {plan.unsafe:,} that were moved aside stay: their files have no proven copy here now")
    if plan.unfinished:
        lines.append(
            f"  {plan.unfinished:,} of an earlier run that was broken off; they are finished with the next one"
        )
    out.print(plain("\n".join(lines)))
    for item in islice(plan.items(), SHOWN):
        out.print(plain(printable(f"    {_line(item)}")))
    if plan.objects > SHOWN:
        out.print(plain(f"    … and {plan.objects - SHOWN:,} more; --json names all"))
    _print_order(plan)


def _days(rules: Rules) -> str:
    return f"{rules.grace.days:,} days"


def _line(item: Item) -> str:
    if item.kept is None:
        return f"{item.key}  ({size_of(item.size)}, moved aside {item.since:%Y-%m-%d})"
    file = item.kept.datafile
    name = f"{file.directory_label}/{file.label}" if file.directory_label else file.label
    whose = f"{which(file.id, file.tag)}, {file.dataset.persistent_id}, {name}"
    return f"{item.key}  ({size_of(item.size)}, gone since {item.since:%Y-%m-%d}; {whose})"


def _print_order(plan: PrunePlan) -> None:
    """How to carry it out."""
    if not plan.objects and not plan.unfinished:
        out.print("  nothing is to be deleted")
        return
    told = f"  that is {plan.share:.1%} of the copies there"
    order = f"dataverse-backup prune --destination {plan.destination} --confirm {plan.name}"
    if plan.is_too_much:
        out.print(f"{told}, and no more than {plan.rules.share:.1%} may be: look why it is so much")
        allowed = min(100, int(plan.share * 100) + 1)
        order += f" --share {allowed}%"
    else:
        out.print(told)
    out.print(
        plain(f"  nothing was deleted. Within {HOLDS_FOR.days} days, this deletes exactly what was shown:\n    {order}")
    )


def _print_objects(plan: PrunePlan) -> None:
    for item in plan.items():
        print(json.dumps(_item_object(plan, item)))  # noqa: T201 -- the answer
    told = {
        "destination": plan.destination,
        "plan": plan.name,
        "made": iso(plan.made),
        "prune_after_seconds": int(plan.rules.grace.total_seconds()),
        "gone": {"objects": plan.gone.objects, "bytes": plan.gone.size},
        "superseded": {"objects": plan.aside.objects, "bytes": plan.aside.size},
        "copies": {"objects": plan.total.objects, "bytes": plan.total.size},
        "share": round(plan.share, 6),
        "allowed_share": plan.rules.share,
        "back": plan.back,
        "unasked": plan.unasked,
        "unsafe": plan.unsafe,
        "unfinished": plan.unfinished,
    }
    print(json.dumps(told))  # noqa: T201 -- the answer


def _item_object(plan: PrunePlan, item: Item) -> dict[str, object]:
    file = None if item.kept is None else item.kept.datafile
    return {
        "destination": plan.destination,
        "key": item.key,
        "kind": "superseded" if file is None else "gone",
        "since": iso(item.since),
        "size": item.size,
        "datafile_id": None if file is None else file.id,
        "dataset": "" if file is None else file.dataset.persistent_id,
        "directory_label": "" if file is None else file.directory_label,
        "label": "" if file is None else file.label,
    }


def carry_out(settings: Settings, names: Sequence[str], plan: str, share: float | None) -> ExitCode:
    """Delete what the plan of that name says, at the one destination that it is for."""
    chosen = chosen_destinations(settings, names)
    if len(chosen) != 1:
        raise ConfigurationError("a plan is for one destination", "give --destination NAME with --confirm")
    (name,) = chosen
    rules = _rules(settings, name)
    rules = rules if share is None else replace(rules, share=share)
    stop = Stop()
    with (
        assembly.open_ledger(settings) as ledger,
        assembly.open_catalogue(settings) as catalogue,
        stopping_on_signals(stop),
    ):
        installation = assembly.make_installation(settings, catalogue, ledger)
        ended = _shown(prune(installation, assembly.make_site(settings, name), plan, rules, stop))
    return code_of([ended])


def _shown(events: Iterator[PruneEvent]) -> PruneEnded:
    with listing(quiet=False) as advance:
        for event in events:
            if isinstance(event, Went):
                advance("deleted", event.objects, event.size)
            elif isinstance(event, PruneEnded):
                return _told(event)
            else:
                out.print(plain(printable(f"{'locked' if event.is_locked else 'stays'}  {event.key}: {event.why}")))
    raise RuntimeError("a prune ends with its result")


def _told(ended: PruneEnded) -> PruneEnded:
    for trouble in ended.troubles:
        say_error(trouble)
    if ended.unfinished:
        warn(
            f"{ended.destination}: of {ended.unfinished:,} objects nobody knows whether they are deleted",
            "the ledger does not count on them any more; the next plan that is confirmed finishes them",
        )
    told = [f"{ended.removed.objects:,} copies deleted, {size_of(ended.removed.size)}"]
    told += [f"{number:,} stay ({why})" for why, number in sorted(ended.stayed.items()) if number]
    is_well = "" if ended.ending in WELL else f"{ended.ending}; "
    out.print(plain(f"{ended.destination}: {is_well}{', '.join(told)}"))
    return ended
