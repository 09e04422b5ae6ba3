"""Gives staged objects their names; runs at the destination, on whatever Python 3 that machine has.

Started with `-c` and the standard library alone, in the root. Input, each ended by NUL: the staging directory, the
mode of new directories in octal, then the staged name and the key of each object. Output: a line for each object with
its staged name and ``0``, or the system's number of the error that left it where it was; then ``removed`` if nothing
was left in the staging directory. Never takes a name away from anything: `link` fails where a name is taken.
"""

import os
import sys


def reveal(staged: bytes, key: bytes, mode: int) -> int:
    """Let the object have its key, and only that; 0 or an errno."""
    try:
        try:
            os.link(staged, key)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(key), mode, exist_ok=True)
            os.link(staged, key)
        os.unlink(staged)
    except OSError as error:
        return error.errno or -1
    return 0


def main() -> None:
    """Do what the input says."""
    directory, mode, *given = sys.stdin.buffer.read().split(b"\0")[:-1]
    os.umask(0o777 & ~int(mode, 8))
    for name, key in zip(given[::2], given[1::2]):
        print(name.decode(), reveal(os.path.join(directory, name), key, int(mode, 8)))
    try:
        os.rmdir(directory)
        print("removed")
    except OSError:
        pass


if __name__ == "__main__":
    main()
