"""Text as every database takes it."""

from __future__ import annotations


def storable(text: str) -> str:
    """*text* with what no database can store (lone surrogates, NUL) written as escapes; all other text as it is.

    Keys never need it: a name that holds such characters is refused before it becomes a key.
    """
    if text.isascii() and "\0" not in text:  # nearly all of it, by the hundred thousand
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
