"""An audit reads the dumps of the database, too: they are what their names say, or are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.audit_events import AuditRequest
from dataverse_backup.actions.database import _is_due
from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.sites import KeptDumps
from dataverse_backup.allowance import NO_LIMITS
from dataverse_backup.cli.summary import result_of
from dataverse_backup.destinations.base import DATABASE_PREFIX
from dataverse_backup.fixity import Checksum, Durability, VerifiedBy
from dataverse_backup.generations import ALGORITHM, Generation, Retention
from dataverse_backup.ledger.base import Copy
from dataverse_backup.ledger.dumps import DumpRecord
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE
from tests.unit.audit_world import AuditWorld, backed_up

if TYPE_CHECKING:
    from dataverse_backup.actions.sites import Site

RULE = KeptDumps(Retention(14, timedelta(days=30)), timedelta(hours=20))


class WorldWithDumps(AuditWorld):
    """Keeps dumps, whose ledger knows them."""

    wants_dumps = True

    @property
    def site(self) -> Site:
        return replace(super().site, dumps=RULE if self.wants_dumps else None)

    def keep(self, data: bytes, *, days_ago: int = 0, is_known: bool = True) -> str:
        taken = datetime.now(UTC) - timedelta(days=days_ago, hours=1)
        one = Generation.of(taken, Checksum.of(data, ALGORITHM))
        self.copies[one.key] = data
        if is_known:
            copy = Copy(one.key, len(data), one.checksum, None, VerifiedBy.READ_BACK, Durability.NOT_OFFERED, taken)
            self.ledger.record_dump(self.ledger.begin_run("backup", HERE), DumpRecord(HERE, taken, copy))
        return one.key


@pytest.fixture
def world() -> WorldWithDumps:
    world = WorldWithDumps()
    backed_up(world)
    return world


def test_dumps_that_are_what_their_names_say_are_counted_and_proven_anew(world: WorldWithDumps) -> None:
    world.keep(b"older", days_ago=40, is_known=False)
    world.keep(b"newest")
    world.copies[f"{DATABASE_PREFIX}/notes.txt"] = b"somebody's"
    before = datetime.now(UTC)
    ended = world.audit().ended
    assert (ended.ending, ended.intact, ended.intact_dumps, ended.bad_dumps) == (Ending.OK, 5, 2, [])
    assert "dumps of the database: 2 intact" in list(ended.remarks())
    last = world.ledger.last_good_dump(HERE)
    assert last is not None
    assert last.copy is not None
    assert last.copy.proven >= before


def test_one_that_was_altered_is_damage_and_the_next_run_makes_another(world: WorldWithDumps) -> None:
    world.keep(b"older", days_ago=3)
    newest = world.keep(b"newest")
    assert not _is_due(world.ledger, HERE, RULE)
    world.copies[newest] = b"newesT"
    ended = world.audit().ended
    assert (ended.ending, ended.intact_dumps) == (Ending.DAMAGE, 1)
    assert ended.bad_dumps == [(newest, Verdict.COPY_ALTERED)]
    assert result_of(ended).damaged == 1
    assert _is_due(world.ledger, HERE, RULE)
    world.copies[newest] = b"newest"
    assert world.audit().ended.ending is Ending.OK
    assert not _is_due(world.ledger, HERE, RULE)


def test_the_last_one_is_missed_as_long_as_dumps_are_wanted_and_older_ones_are_not(world: WorldWithDumps) -> None:
    del world.copies[world.keep(b"older", days_ago=3)]
    newest = world.keep(b"newest")
    del world.copies[newest]
    assert world.audit().ended.bad_dumps == [(newest, Verdict.COPY_MISSING)]
    world.wants_dumps = False
    assert world.audit().ended.ending is Ending.OK


def test_dumps_are_read_though_no_copy_is_due(world: WorldWithDumps) -> None:
    world.keep(b"old", days_ago=40)
    world.keep(b"newest")
    request = AuditRequest(NO_LIMITS, every=timedelta(days=30))
    ended = world.audit(request).ended
    assert (ended.intact, ended.intact_dumps) == (0, 1)
    assert world.audit(request).ended.intact_dumps == 0


@pytest.mark.parametrize(
    "request_",
    [
        AuditRequest(NO_LIMITS, dataset="doi:10.5072/FK2/ABCDEF"),
        AuditRequest(NO_LIMITS, share=0.999),
        AuditRequest(NO_LIMITS, is_listing=True),
    ],
)
def test_where_only_a_part_is_asked_for_no_dump_is_read(world: WorldWithDumps, request_: AuditRequest) -> None:
    world.keep(b"newest")
    assert world.audit(request_).ended.intact_dumps == 0


def test_one_that_nobody_answers_for_is_neither_intact_nor_damaged(world: WorldWithDumps) -> None:
    newest = world.keep(b"newest")
    world.destination.faults.silent = {newest}
    ended = world.audit().ended
    assert ended.ending is Ending.FAILURES
    assert ended.bad_dumps == [(newest, Verdict.UNREACHABLE)]
    assert not _is_due(world.ledger, HERE, RULE)
