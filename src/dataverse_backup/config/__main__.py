"""Writes the page of the reference: ``python -m dataverse_backup.config > docs/reference/configuration.md``."""

import sys

from dataverse_backup.config.documentation import reference

sys.stdout.write(reference())
