"""`repair`: copies from intact primaries, as a backup makes them; primaries from intact copies, after showing what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.proofs import datasets_with_logos
from dataverse_backup.actions.repair import DAMAGED_COPIES, PrimariesRepair, damaged_copies
from dataverse_backup.cli.answers import which
from dataverse_backup.cli.backing_up import chosen_destinations, show_events, show_result
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.stopping import stopping_on_signals
from dataverse_backup.cli.terminal import out, plain, say_error, size_of
from dataverse_backup.engine import Stop
from dataverse_backup.errors import printable
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.actions.repair import Mended, Proposal
    from dataverse_backup.actions.sites import Site
    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.cli.backing_up import Tell
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger

SHOWN = 50
"""So many files are named where nothing is done yet."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was typed."""

    files: frozenset[int] = frozenset()
    """All, where none is named."""
    dataset: str | None = None
    destinations: Sequence[str] = ()
    is_meant: bool = False
    """With ``--stores``: it is to be done, not only shown."""
    is_dry: bool = False
    is_quiet: bool = False


# Copies


def show_damaged(settings: Settings, order: Order) -> None:
    """Which copies would be made again."""
    with assembly.open_ledger(settings) as ledger:
        for destination, ids in _damaged(settings, order, ledger).items():
            lines = list(damaged_lines(ledger, destination, sorted(ids)))
            out.print(
                plain(
                    f"{destination}: {len(lines):,} {'copy is' if len(lines) == 1 else 'copies are'} missing or altered"
                )
            )
            for line in lines[:SHOWN]:
                out.print(plain(printable(f"  {line}")))
            if len(lines) > SHOWN:
                out.print(plain(f"  … and {len(lines) - SHOWN:,} more"))


def damaged_lines(ledger: Ledger, destination: str, ids: Sequence[int]) -> Iterator[str]:
    """A line for each copy; what else lies beside the same datafile is not damaged."""
    for datafile_id in ids:
        for listed in ledger.listed(destination=destination, datafile_id=datafile_id):
            if listed.verdict in DAMAGED_COPIES:
                whose = f"{which(listed.datafile_id, listed.tag)}, {listed.dataset}, {listed.label}"
                yield f"{listed.verdict}  {listed.key}  ({whose})"


def make_again(settings: Settings, order: Order, tell: Tell) -> ExitCode:
    """Back up none but what is damaged, and *tell*; the exit code."""
    stop = Stop()
    with assembly.open_ledger(settings) as ledger:
        damaged = {name: ids for name, ids in _damaged(settings, order, ledger).items() if ids}
        if not damaged:
            if not order.is_quiet:
                out.print("No audit found a copy missing or altered that was not made good since.")
            return ExitCode.OK
        sites = [assembly.make_site(settings, name) for name in damaged]
        with assembly.open_catalogue(settings) as catalogue, stopping_on_signals(stop):
            installation = assembly.make_installation(settings, catalogue, ledger, damaged)
            results = show_events(backup(installation, sites, stop, only=damaged), quiet=order.is_quiet)
        for ended in results:
            show_result(ledger, ended, quiet=order.is_quiet)
        return tell(ledger, results, code_of(results))


def _damaged(settings: Settings, order: Order, ledger: Ledger) -> dict[str, set[int]]:
    names = chosen_destinations(settings, order.destinations)
    return damaged_copies(ledger, names, dataset=order.dataset, only=order.files or None)


# Primaries


def put_back(settings: Settings, order: Order) -> ExitCode:
    """Show what would be written back into the stores and, where it is meant, do it."""
    stop = Stop()
    sites = [assembly.make_site(settings, name) for name in chosen_destinations(settings, order.destinations)]
    with (
        assembly.open_ledger(settings) as ledger,
        assembly.open_catalogue(settings) as catalogue,
        stopping_on_signals(stop),
        PrimariesRepair(assembly.make_installation(settings, catalogue, ledger), sites) as repair,
    ):
        proposals = []
        for proposal in repair.proposals(_ids(catalogue, ledger, sites, order), stop):
            if order.files or (proposal.verdict is not Verdict.INTACT and not proposal.is_elsewhere):
                _show_proposal(proposal)
            proposals.append(proposal)
        feasible = [proposal for proposal in proposals if proposal.copy is not None]
        if not order.is_meant:
            return _say_what_to_do(proposals, feasible)
        mended = [_shown(one) for one in repair.carry_out(feasible, stop)]
    if stop.is_set():
        return ExitCode.INTERRUPTED
    is_all_well = all(one.trouble is None for one in mended) and not _hopeless(proposals)
    return ExitCode.OK if is_all_well else ExitCode.FAILURES


def _ids(catalogue: Catalogue, ledger: Ledger, sites: Sequence[Site], order: Order) -> list[int]:
    """The ids of what is to be looked at: datafiles, and a dataset where it has a logo."""
    ids = set(order.files)
    if order.dataset is not None:
        found = set(catalogue.named(order.dataset))
        found |= set(datasets_with_logos(ledger, [site.name for site in sites], order.dataset))
        ids = ids & found if ids else found
    return sorted(ids)


def _show_proposal(proposal: Proposal) -> None:
    file = proposal.datafile
    whose = f"{which(file.id, file.tag)}, {file.dataset.persistent_id}, {file.label}"
    said = f"{whose}: store {file.store_id}: {proposal.name}: {_verdict_of(proposal)}"
    out.print(plain(printable(said)))
    if proposal.copy is not None:
        size = size_of(proposal.copy.copy.size)
        out.print(plain(f"  from the copy at {proposal.copy.destination}, {proposal.copy.copy.key}, {size}"))
        if proposal.verdict is not Verdict.PRIMARY_MISSING:
            out.print(plain("  what lies there is kept beside it"))


def _verdict_of(proposal: Proposal) -> str:
    said = f" ({proposal.said})" if proposal.said else ""
    return f"{_word(proposal)}{said}"


def _word(proposal: Proposal) -> str:
    return str(proposal.verdict or ("not here" if proposal.is_elsewhere else "not looked at"))


def _hopeless(proposals: Iterable[Proposal]) -> list[Proposal]:
    doubtful = (one for one in proposals if one.copy is None and not one.is_elsewhere)
    return [one for one in doubtful if one.verdict is not Verdict.INTACT]


def _say_what_to_do(proposals: Sequence[Proposal], feasible: Sequence[Proposal]) -> ExitCode:
    verdicts = Counter(_word(one) for one in proposals)
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items()) or "no such files in Dataverse"
    doing = f"; --yes writes {len(feasible):,} back" if feasible else "; there is nothing to write back"
    out.print(plain(f"{told}{doing}"))
    return ExitCode.FAILURES if _hopeless(proposals) or not proposals else ExitCode.OK


def _shown(mended: Mended) -> Mended:
    if mended.trouble is not None:
        say_error(mended.trouble)
    if mended.done is not None:
        done, file = mended.done, mended.proposal.datafile
        aside = f"; what lay there is kept as {done.aside}" if done.aside else ""
        word = "was right already" if done.was_right else "written back and proven"
        out.print(plain(f"{which(file.id, file.tag)}: {done.name}: {word}, {done.checksum}{aside}"))
    return mended
