"""Secrets of the configuration in plain text: for what knows nothing of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr


def secret(value: SecretStr | None) -> str | None:
    """What *value* keeps from every log and `repr`."""
    return value.get_secret_value() if value else None
