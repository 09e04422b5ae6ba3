"""What every destination of ours promises that keeps notes of ours."""

from dataverse_backup.testing.explainable import *  # noqa: F403 -- the suite: pytest collects what is here
