"""Every exception is in the drawn tree, crosses process borders, and can be shown."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup import errors
from dataverse_backup.errors import CopyError, DataverseBackupError, ObjectError, Reason, SourceError, printable

EVERY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, DataverseBackupError) and kind.__module__ == errors.__name__
]
OF_OBJECTS = [kind for kind in EVERY if issubclass(kind, ObjectError)]
LEAVES = [kind for kind in OF_OBJECTS if not kind.__subclasses__()]


def drawn() -> dict[str, str]:
    """Each class of the tree in the module's docstring, and the class above it."""
    above: dict[int, str] = {}
    tree: dict[str, str] = {}
    for branch, name in re.findall(r"^    ([ │├└─]*)(\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(branch) // 4
        above[depth] = name
        tree[name] = above.get(depth - 1, "Exception")
    return tree


def test_the_drawn_tree_is_the_tree() -> None:
    assert drawn() == {kind.__name__: kind.__base__.__name__ for kind in EVERY if kind.__base__}


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_the_drawing_gives_the_reason_of_each_object_error(kind: type[ObjectError]) -> None:
    assert re.search(rf"{kind.__name__} +{kind.reason}$", errors.__doc__ or "", re.MULTILINE)
    assert isinstance(kind.reason, Reason)


def test_reasons_of_one_side_are_told_apart() -> None:
    for side in (SourceError, CopyError):
        reasons = [kind.reason for kind in LEAVES if issubclass(kind, side)]
        assert len(reasons) == len(set(reasons)) > 1


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_an_error_crosses_process_borders_with_everything_that_it_says(kind: type[DataverseBackupError]) -> None:
    error = kind("disk", "a\nb", "is full", "buy one") if issubclass(kind, ObjectError) else kind("is full", "buy one")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (str(copy), copy.message, copy.hint) == (str(error), error.message, "buy one")
    assert vars(copy) == vars(error)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_an_error_about_an_object_names_place_and_key(kind: type[ObjectError]) -> None:
    error = kind("offsite", "10.5072/x\x1b[31m", "it broke")
    assert str(error) == "offsite: 10.5072/x\\x1b[31m: it broke"
    assert (error.place, error.key, error.hint) == ("offsite", "10.5072/x\x1b[31m", "")


def test_a_hint_is_no_part_of_the_message() -> None:
    assert str(DataverseBackupError("it broke", "mend it")) == "it broke"


@given(st.text(st.characters(exclude_categories=[])))
def test_what_is_printable_can_be_printed_and_encoded(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()


@given(st.text().filter(str.isprintable))
def test_what_is_printable_already_is_left_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\nb"), ("\0", "\\x00"), ("\udcff", "\\udcff"), ("\u202e", "\\u202e"), ("é x", "é x")],
)
def test_control_characters_and_surrogates_are_shown_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
