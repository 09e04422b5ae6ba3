"""Which file system a path lies on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NETWORK = re.compile(
    r"nfs4?|cifs|smb[23s]?|smbfs|9p|afs|auristorfs|coda|ncpfs|ceph|gfs2?|ocfs2|lustre|beegfs|gpfs|pvfs2|orangefs|panfs"
    r"|davfs|fuse\.(sshfs|ceph|ceph-fuse|glusterfs|s3fs|s3ql|rclone|gcsfuse|goofys|davfs2?|mfs|moosefs|cvmfs2?)"
    r"|glusterfs|fuse\.gluster.*|moosefs"
)
"""Types by which Linux mounts file systems of other machines, where SQLite's locks or shared memory do not work."""


def network_file_system(path: Path, mountinfo: str) -> str | None:
    """The type of the network file system that *path* (absolute, resolved) lies on; None where it is local.

    *mountinfo* is the text of ``/proc/self/mountinfo`` (proc(5)); an empty one says nothing, so nothing is refused.
    """
    kind = ""
    longest = -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        mounted_on = _unescaped(before.split()[4])
        # A later line of the same mount point lies on top of the earlier one.
        if path.is_relative_to(mounted_on) and len(mounted_on) >= longest:
            longest, kind = len(mounted_on), after.split()[0]
    return kind if _NETWORK.fullmatch(kind) else None


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
