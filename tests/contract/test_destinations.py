"""What every destination promises, of every one of ours."""

import pytest

from dataverse_backup.testing.destinations import *  # noqa: F403 -- the suite: pytest collects what is here

pytestmark = pytest.mark.xdist_group("Keystone")  # it takes longest to start
