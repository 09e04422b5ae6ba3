"""Hashes stored objects; runs at the destination, on Python 3.6 or later.

Started with `-c` and the standard library alone, in the root. Input, each ended by NUL: the name of the algorithm, then
the keys. Output: a line for each key, in their order: its size and its digest; ``missing`` where nothing lies; ``?``
for what cannot be read, or is no file: somebody else has to say why.
"""

import errno
import hashlib
import os
import stat
import sys

_LENGTH = 1 << 20


def told(key: bytes, algorithm: str, buffer: memoryview) -> str:
    """What is said of one key."""
    try:
        number = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return "missing" if error.errno in (errno.ENOENT, errno.ENOTDIR) else "?"
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return "?"
        digest, size = hashlib.new(algorithm), 0
        with open(number, "rb", buffering=0, closefd=False) as file:
            length = file.readinto(buffer)
            while length:
                digest.update(buffer[:length])
                size += length
                length = file.readinto(buffer)
    except OSError:
        return "?"
    finally:
        os.close(number)
    return f"{size} {digest.hexdigest()}"


def main() -> None:
    """Do what the input says."""
    algorithm, *keys = sys.stdin.buffer.read().split(b"\0")[:-1]
    buffer = memoryview(bytearray(_LENGTH))
    for key in keys:
        print(told(key, algorithm.decode(), buffer))


if __name__ == "__main__":
    main()
