"""Puts notes of ours where they belong; runs at the destination, on Python 3.6 or later.

Started with `-c` and the standard library alone, in the root. Input, each ended by NUL: the staging directory, the mode
of new directories in octal, then for each note its staged name, the key, and ``1`` where it is to be there or ``0``
where it is not to be. Output: a line for each note with its staged name and ``0``, or the system's number of the error
that left all as it was; then ``removed`` if nothing was left in the staging directory. What lies under the key of a
note and is no file stays.
"""

import errno
import os
import stat
import sys


def put(staged: bytes, key: bytes, mode: int, *, is_one: bool) -> int:
    """Let the note lie under its key, or nothing; 0 or an errno."""
    try:
        try:
            if not stat.S_ISREG(os.lstat(key).st_mode):
                return errno.EEXIST
        except FileNotFoundError:
            if not is_one:
                return 0
            os.makedirs(os.path.dirname(key) or b".", mode, exist_ok=True)
        if is_one:
            os.replace(staged, key)
        else:
            os.unlink(key)
    except OSError as error:
        return error.errno or -1
    return 0


def main() -> None:
    """Do what the input says."""
    directory, mode, *given = sys.stdin.buffer.read().split(b"\0")[:-1]
    os.umask(0o777 & ~int(mode, 8))
    for name, key, is_one in zip(given[::3], given[1::3], given[2::3]):
        print(name.decode(), put(os.path.join(directory, name), key, int(mode, 8), is_one=is_one == b"1"))
    try:
        os.rmdir(directory)
        print("removed")
    except OSError:
        pass


if __name__ == "__main__":
    main()
