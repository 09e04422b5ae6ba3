"""What to do about each reason: the one table, for mails, pages and answers."""

from __future__ import annotations

from dataverse_backup.errors import Reason

HINTS = {
    Reason.MISSING: "look for the file in the store's own backup; if it is lost for good, tell the dataset's curators",
    Reason.REFUSED: "let the user of the backup read the store's file, or write at the destination (key and message)",
    Reason.UNREACHABLE: "the service did not answer; the next run tries again: look at it if that goes on",
    Reason.UNREADABLE: "the disk or the file system cannot give the bytes: look into the system's log of the store",
    Reason.ARCHIVED: "it lies in cold storage: have its service restore it for some days; the next run tries again",
    Reason.SOURCE_CHANGED: "somebody was writing to it while it was read; the next run tries again",
    Reason.SOURCE_DIFFERS: "the stored bytes are not those that were registered: restore them from an older backup",
    Reason.KEY_REFUSED: "the destination cannot keep an object of this name: use another type of destination for it",
    Reason.KEY_OCCUPIED: "something else lies under the key: look at it, and move it aside if nobody needs it",
    Reason.COPY_MISSING: "the copy is no longer there; the next run copies it again: find out who removed it",
    Reason.COPY_DIFFERS: "the copy is not what it must be; the next run makes it again: look for damage there",
    Reason.COPY_FAILED: "the message has the destination's own words",
    Reason.NO_SPACE: "make room at the destination or raise its quota; the next run goes on",
    Reason.WORKER_DIED: "`journalctl -k` says whether its process was killed for memory: give it more, or report a bug",
    Reason.NO_CHECKSUM: "let Dataverse register a checksum: its admin API has computeDataFileHashValue",
    Reason.SIZE_DIFFERS: "the bytes fit the registered checksum; only the size that Dataverse shows is wrong",
    Reason.CONTENT_CHANGED: "the former copy is kept under .superseded: find out whether the change was meant",
    Reason.NO_DATASET: "the datafile belongs to no dataset: a remnant in the Dataverse database",
    Reason.NO_IDENTIFIER: "Dataverse has no storage identifier for it: an upload that was never finished, or a remnant",
    Reason.PREFIX_ONLY: "its storage identifier names a store and no object: a remnant in the Dataverse database",
    Reason.TEMPORARY: "an upload that was not finished; nothing is lost",
    Reason.REMOTE: "its bytes are on somebody else's server; nothing can be copied",
    Reason.GLOBUS: "its bytes are at a Globus endpoint; they need a backup there",
    Reason.IGNORED: "the configuration leaves its store out, by `type: ignore`",
    Reason.PACKAGE: "a package (rsync) is not one file; it needs a backup of its own",
    Reason.STORE_UNKNOWN: "describe its store in the configuration: a section [Store ID]",
}
"""One sentence for each reason, without an end; what the message of a file says comes first."""
