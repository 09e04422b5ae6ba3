"""Writes every generated file anew: ``scripts/docs --write``."""

from __future__ import annotations

from reference.files import MANUAL, generated

for old in MANUAL.iterdir() if MANUAL.exists() else ():
    old.unlink()  # of a command that is no more
for path, text in generated().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
