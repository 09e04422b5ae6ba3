"""Takes batches of small objects and gives them their names; runs at the destination, on Python 3.6 or later.

Started with `-c` and the standard library alone, in the root; serves until its input ends. The first two lines of that
are the mode of new directories in octal, and the command that brings everything to the disk. Then come requests, each a
line of words. The answers to the last two are lines, after the last of which comes a point alone.

``begin ALGORITHM DIRECTORY`` makes the staging directory of a batch.

``file NAME SIZE MODE`` is followed by so many bytes: they lie there under that name from then on.

``prove`` brings all of that to the disk and hashes what lies there. The answer: ``synced``, or why not; then for each
file its name and digest, or ``!``, its name, and why there is none.

``name LENGTH DIRECTORY`` is followed by so many bytes, which are staged names and keys, each ended by NUL. The answer:
for each object its staged name and ``0``, or the system's number of the error that left it where it was; ``removed`` if
nothing was left in the staging directory; ``synced``.

Never takes a name away from anything: `link` fails where a name is taken. A request that ends in the middle, as when a
connection is lost, has no effect.
"""

import hashlib
import os
import subprocess
import sys
from typing import BinaryIO

LENGTH = 1 << 20


class Agent:
    """Does what the requests say."""

    def __init__(self, requests: BinaryIO, mode: int, sync: str) -> None:
        self.requests, self.mode, self.sync = requests, mode, sync
        self.directory = self.algorithm = ""
        self.failures: dict[str, str] = {}
        """Of the files of this batch, by name: why it is not there, or nothing."""

    def serve(self) -> None:
        """Do all that comes."""
        for line in iter(self.requests.readline, b""):
            word, *words = line.decode().split()
            getattr(self, "do_" + word)(*words)
            if word in ("prove", "name"):
                print(".", flush=True)

    def read(self, length: int) -> bytes:
        """So many bytes of the input; where it is over before, nobody is there any more who could be answered."""
        data = self.requests.read(length)
        if len(data) < length:
            raise SystemExit
        return data

    def do_begin(self, algorithm: str, directory: str) -> None:
        """Begin with a batch."""
        self.directory, self.algorithm, self.failures = directory, algorithm, {}
        os.makedirs(directory, self.mode, exist_ok=True)

    def do_file(self, name: str, size: str, mode: str) -> None:
        """Take one file."""
        left = int(size)
        try:
            number = os.open(os.path.join(self.directory, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                while left:
                    data = self.read(min(left, LENGTH))
                    left -= len(data)
                    while data:
                        data = data[os.write(number, data) :]
                os.fchmod(number, int(mode, 8))
            finally:
                os.close(number)
            self.failures[name] = ""
        except OSError as error:
            self.failures[name] = str(error)
        while left:  # what comes after it shall be understood
            left -= len(self.read(min(left, LENGTH)))

    def do_prove(self) -> None:
        """Hash what is on the disk."""
        self.bring_to_the_disk()
        buffer = memoryview(bytearray(LENGTH))
        for name, failure in self.failures.items():
            try:
                print(*(["!", name, failure] if failure else [name, self.digest(name, buffer)]))
            except (OSError, ValueError) as error:  # ValueError: this Python does not hash like that
                print("!", name, error)

    def digest(self, name: str, buffer: memoryview) -> str:
        """Of the bytes that are stored."""
        digest = hashlib.new(self.algorithm)
        with open(os.path.join(self.directory, name), "rb", buffering=0) as file:
            length = file.readinto(buffer)
            while length:
                digest.update(buffer[:length])
                length = file.readinto(buffer)
        return digest.hexdigest()

    def do_name(self, length: str, directory: str) -> None:
        """Let objects have their keys."""
        words = self.read(int(length)).split(b"\0")[:-1]
        for name, key in zip(words[::2], words[1::2]):
            print(name.decode(), self.link(os.path.join(directory.encode(), name), key))
        try:
            os.rmdir(directory)
            print("removed")
        except OSError:
            pass
        self.bring_to_the_disk()

    def link(self, staged: bytes, key: bytes) -> int:
        """Let the object have its key, and only that; 0 or an errno."""
        try:
            try:
                os.link(staged, key)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(key), self.mode, exist_ok=True)
                os.link(staged, key)
            os.unlink(staged)
        except OSError as error:
            return error.errno or -1
        return 0

    def bring_to_the_disk(self) -> None:
        """Say whether that succeeded."""
        done = subprocess.run(self.sync.split(), check=False, stderr=subprocess.PIPE)  # noqa: S603 -- one that was probed
        said = done.stderr.decode("ascii", "backslashreplace").strip()
        print("not synced: " + said if done.returncode else "synced")


def main() -> None:
    """Serve."""
    requests = sys.stdin.buffer
    mode, sync = int(requests.readline(), 8), requests.readline().decode().strip()
    os.umask(0o777 & ~mode)
    Agent(requests, mode, sync).serve()


if __name__ == "__main__":
    main()
