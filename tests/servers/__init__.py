"""Modules that start the real servers that tests and the demo need; each on 127.0.0.1, in a temporary folder."""

from __future__ import annotations

import os
from typing import NoReturn

REQUIRE_SERVERS = "DATAVERSE_BACKUP_REQUIRE_SERVERS"
"""Set to ``1`` where every test must run, as in CI: a missing server is a failure there, not a reason to skip."""


def unavailable(what: str) -> NoReturn:
    """Skip the current test because *what* is not on this machine; fail it where servers are required."""
    import pytest  # noqa: PLC0415 -- the demo uses these servers without pytest

    if os.environ.get(REQUIRE_SERVERS) == "1":
        pytest.fail(f"{REQUIRE_SERVERS}=1, and this is missing: {what}", pytrace=False)
    pytest.skip(what)
