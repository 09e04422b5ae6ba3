"""What every destination promises, of every one of ours."""

from dataverse_backup.testing.destinations import *  # noqa: F403 -- the suite: pytest collects what is here
