"""Checks one section of the file against its model, and says what is wrong in the words of the file."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from dataverse_backup.config.stores import PER_ENDPOINT
from dataverse_backup.config.values import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from dataverse_backup.config.ini import Section
    from dataverse_backup.config.mistakes import Mistakes

Model = TypeVar("Model", bound=BaseModel)

WORDS = {
    "int_parsing": "not a whole number",
    "int_parsing_size": "not a whole number of a sensible size",
    "bool_parsing": "must be yes or no",
    "missing": "missing",
}
"""Pydantic's kinds of errors that an administrator reads better in other words."""


def aliases(model: type[BaseModel]) -> dict[str, str]:
    """Every key that *model* takes from the file, by its lower-case form."""
    return {field.alias.lower(): field.alias for field in model.model_fields.values() if field.alias}


def canonical(key: str, known: Mapping[str, str]) -> tuple[str, str] | None:
    """The known key that *key* means and the endpoint that it names, or None; *known* is by lower case."""
    if plain := known.get(key.lower()):
        return plain, ""
    head, dot, endpoint = key.partition(".")
    per_endpoint = known.get(f"{head.lower()}{PER_ENDPOINT}") if dot and endpoint else None
    return (per_endpoint, endpoint) if per_endpoint else None


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` with the known name that is written most alike, or nothing."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower()[:100], by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""


def refuse_unknown_keys(section: Section, known: Iterable[str], mistakes: Mistakes) -> None:
    """Note every key of *section* that is none of *known*."""
    known = list(known)
    by_lower = {key.lower(): key for key in known}
    for entry in section.entries.values():
        if canonical(entry.key, by_lower) is None:
            what = f"not a key of this section{nearest(entry.key, known)}"
            mistakes.add(entry.line, what, section=section.title, key=entry.key)


def values(section: Section, model: type[BaseModel]) -> dict[str, Any]:
    """What *section* gives for *model*; a key without a value counts as not given."""
    known = aliases(model)
    given: dict[str, Any] = {}
    for entry in section.entries.values():
        meant = canonical(entry.key, known)
        if not meant or not entry.value:
            continue
        alias, endpoint = meant
        if endpoint:
            given.setdefault(alias, {})[endpoint] = entry.value
        else:
            given[alias] = entry.value
    return given


def check(
    section: Section, model: type[Model], given: Mapping[str, Any], folder: Path, mistakes: Mistakes
) -> Model | None:
    """*given* as a *model*, or None and what is wrong in *mistakes*; paths are relative to *folder*."""
    try:
        return model.model_validate(given, context={FOLDER: folder})
    except ValidationError as error:
        for details in error.errors(include_input=False, include_url=False):
            alias = (
                _alias(model, str(details["loc"][0])) if details["loc"] else ""
            )  # none where keys do not fit each other
            mistakes.add(line_of(section, alias), _words(details), section=section.title, key=alias)
        return None


def _alias(model: type[BaseModel], name: str) -> str:
    """The key in the file: of a field that was not given, pydantic tells the name that it has here."""
    field = model.model_fields.get(name)
    return field.alias if field and field.alias else name


def of_model(section: Section, model: type[Model], folder: Path, mistakes: Mistakes) -> Model | None:
    """What *section* gives, as a *model*, or None and what is wrong in *mistakes*."""
    return check(section, model, values(section, model), folder, mistakes)


def line_of(section: Section, alias: str) -> int:
    """The line of that key, or of the section where it is not given."""
    head = alias.removesuffix(PER_ENDPOINT).lower()
    of_key = [entry.line for key, entry in section.entries.items() if alias.lower() == key]
    of_endpoint = [entry.line for key, entry in section.entries.items() if key.startswith(f"{head}.")]
    return next(iter(of_key or of_endpoint), section.line)


def _words(details: ErrorDetails) -> str:
    raised = details.get("ctx", {}).get("error")
    if isinstance(raised, ValueError):
        return str(raised)
    return WORDS.get(details["type"], details["msg"].replace("Input should", "must"))
