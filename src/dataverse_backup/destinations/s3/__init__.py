"""A destination that is a bucket of S3 or of a service compatible with it. Needs the extra ``s3``."""

from dataverse_backup.destinations.s3.destination import S3Destination
from dataverse_backup.destinations.s3.settings import S3Settings

__all__ = ["S3Destination", "S3Settings"]
