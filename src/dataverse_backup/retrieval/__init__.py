"""Bring copies back: from the first place that has a good one, proven before anything appears under its name.

What is unavailable is tried again, as often and as late as in a backup (``transfer.RETRY_DELAYS``); a copy that is
missing, altered or refused is replaced by the next one that is known.
"""

from dataverse_backup.retrieval.orders import Landed, Missed, Order, Retrieval, Source
from dataverse_backup.retrieval.retriever import Came, Haul, Retrieved, Retriever, RetrieverFactory
from dataverse_backup.retrieval.targets import FolderTarget, StoreTarget, Target

__all__ = [
    "Came",
    "FolderTarget",
    "Haul",
    "Landed",
    "Missed",
    "Order",
    "Retrieval",
    "Retrieved",
    "Retriever",
    "RetrieverFactory",
    "Source",
    "StoreTarget",
    "Target",
]
