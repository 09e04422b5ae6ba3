"""Configuration to objects: the only package that names concrete classes.

What only one kind of service needs is imported when that kind is used.
"""

from dataverse_backup.assembly.channels import make_channels
from dataverse_backup.assembly.clusters import open_clusters
from dataverse_backup.assembly.databases import (
    empty_ledger,
    find_ledger,
    has_no_ledger,
    make_dumper,
    open_catalogue,
    open_ledger,
    open_passing_ledger,
)
from dataverse_backup.assembly.destinations import by_speed, make_destination, open_destination, open_folder
from dataverse_backup.assembly.readiness import prepare_workers
from dataverse_backup.assembly.retrievers import FolderTargetFactory, StoreTargetFactory, make_retriever
from dataverse_backup.assembly.sites import make_installation, make_site
from dataverse_backup.assembly.stores import make_stores

__all__ = [
    "FolderTargetFactory",
    "StoreTargetFactory",
    "by_speed",
    "empty_ledger",
    "find_ledger",
    "has_no_ledger",
    "make_channels",
    "make_destination",
    "make_dumper",
    "make_installation",
    "make_retriever",
    "make_site",
    "make_stores",
    "open_catalogue",
    "open_clusters",
    "open_destination",
    "open_folder",
    "open_ledger",
    "open_passing_ledger",
    "prepare_workers",
]
