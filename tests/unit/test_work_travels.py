"""What travels to workers and back does so by the hundred thousand."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.conclusion import Outcome
from dataverse_backup.work import Batch, JointBatch, Why, Work
from tests.contract.ledger_cases import HERE, copied, datafile, failed, key_of, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = datafile(1)
WORK = Work(FILE, key_of(FILE), copied(FILE), Why.FAILED)
TRAVELS = [JointBatch((Batch(HERE, (WORK,)),)), Outcome([succeeded(FILE), failed(FILE)])]


def parts(thing: object) -> Iterator[object]:
    """*thing*, and every value of ours that it is made of."""
    if isinstance(thing, list | tuple):
        for each in thing:
            yield from parts(each)
    elif hasattr(thing, "__dataclass_fields__"):
        yield thing
        for name in thing.__dataclass_fields__:
            yield from parts(getattr(thing, name))


@pytest.mark.parametrize("thing", TRAVELS, ids=lambda thing: type(thing).__name__)
def test_what_travels_is_pickled_by_no_code_of_python(thing: object) -> None:
    assert {type(part).__name__ for part in parts(thing) if type(part).__reduce__ is not object.__reduce__} == set()
    assert [type(part).__name__ for part in parts(thing) if "__getstate__" in vars(type(part))] == []


@pytest.mark.parametrize("thing", TRAVELS, ids=lambda thing: type(thing).__name__)
def test_what_arrives_is_what_was_sent(thing: object) -> None:
    assert pickle.loads(pickle.dumps(thing)) == thing
