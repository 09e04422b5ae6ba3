"""Takes batches of small objects and gives them their names; runs at the destination, on Python 3.6 or later.

Started with `-c` and the standard library alone, in the root; serves until its input ends. The first two lines of that
are the mode of new directories in octal, and the command that brings everything to the disk. Then come requests, each a
line of words. The answers to all but the first three are lines, after the last of which comes a point alone. Names and
texts that may hold anything are told in hexadecimal digits.

``sync COMMAND`` says with which command everything is brought to the disk from now on.

``begin ALGORITHM DIRECTORY`` makes the staging directory of a batch.

``file NAME SIZE MODE`` is followed by so many bytes: they lie there under that name from then on.

``prove`` brings all of that to the disk and hashes what lies there. The answer: ``synced``, or why not; then for each
file its name and digest, or ``!``, its name, and why there is none.

``name LENGTH DIRECTORY`` is followed by so many bytes, which are staged names and keys, each ended by NUL. The answer:
for each object its staged name and ``0``, or the system's number of the error that left it where it was; ``removed`` if
nothing was left in the staging directory; ``synced``.

``put LENGTH DIRECTORY`` is followed by so many bytes: for each note its staged name, its key, and ``1`` where it is to
be there or ``0`` where it is not to be, each ended by NUL. The answer is that to ``name``; before it ``synced`` once
more, or why nothing was done. What lies under the key of a note and is no file stays.

``look KEY`` asks for what there is: ``root`` and its path; ``free`` and so many bytes; ``identity``, and of the file
KEY its size, the whole seconds of its time and its text, if there is one; no such line where it cannot be read.

``try LENGTH SCRATCH CONTENT`` is followed by so many bytes, a command of the shell. It leaves a file ``probe`` with
this content in a new directory SCRATCH, and answers with ``time``, the file's; ``folds``, and ``1`` where it lies under
``PROBE`` too; ``said``, and what the command said in there; or with ``!`` and why not.

``clear`` takes away what the last ``try`` made.

Only ``put`` takes a name away from anything: `link` fails where a name is taken. A request that ends in the middle, as
when a connection is lost, has no effect.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from typing import BinaryIO

LENGTH = 1 << 20
TEXT_LENGTH = 4096


class Agent:
    """Does what the requests say."""

    def __init__(self, requests: BinaryIO, mode: int, sync: str) -> None:
        self.requests, self.mode, self.sync = requests, mode, sync
        self.directory = self.algorithm = ""
        self.failures: dict[str, str] = {}
        """Of the files of this batch, by name: why it is not there, or nothing."""
        self.made: list[str] = []
        """The directories that the last `try` made, from the top."""

    def serve(self) -> None:
        """Do all that comes."""
        for line in iter(self.requests.readline, b""):
            word, *words = line.decode().split()
            getattr(self, "do_" + word)(*words)
            if word not in ("sync", "begin", "file"):
                print(".", flush=True)

    def read(self, length: int) -> bytes:
        """So many bytes of the input; where it is over before, nobody is there any more who could be answered."""
        data = self.requests.read(length)
        if len(data) < length:
            raise SystemExit
        return data

    def do_sync(self, *command: str) -> None:
        """Take another command for that."""
        self.sync = " ".join(command)

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
        self.finish(directory)

    def finish(self, directory: str) -> None:
        """Remove what is empty now, and bring names to the disk."""
        with contextlib.suppress(OSError):
            os.rmdir(directory)
            print("removed")
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

    def do_put(self, length: str, directory: str) -> None:
        """Let notes lie under their keys, or nothing."""
        words = self.read(int(length)).split(b"\0")[:-1]
        if not self.bring_to_the_disk():
            return
        for name, key, is_one in zip(words[::3], words[1::3], words[2::3]):
            staged = os.path.join(directory.encode(), name)
            print(
                name.decode(), -1 if self.failures.get(name.decode()) else self.put(staged, key, is_one=is_one == b"1")
            )
        self.finish(directory)

    def put(self, staged: bytes, key: bytes, *, is_one: bool) -> int:
        """Let the note lie under its key, or nothing; 0 or an errno."""
        try:
            try:
                if not stat.S_ISREG(os.lstat(key).st_mode):
                    return errno.EEXIST
            except FileNotFoundError:
                if not is_one:
                    return 0
                os.makedirs(os.path.dirname(key) or b".", self.mode, exist_ok=True)
            if is_one:
                os.replace(staged, key)
            else:
                os.unlink(key)
        except OSError as error:
            return error.errno or -1
        return 0

    def do_look(self, key: str) -> None:
        """Say what there is."""
        here, system = os.environ.get("PWD", ""), os.statvfs(".")
        if not os.path.isabs(here) or not os.path.samefile(here, "."):
            here = os.getcwd()
        print("root", os.fsencode(here).hex())
        print("free", system.f_bavail * system.f_frsize)
        try:
            with open(os.open(key, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                found = os.fstat(file.fileno())
                print("identity", found.st_size, int(found.st_mtime), file.read(TEXT_LENGTH).hex())
        except FileNotFoundError:
            print("identity")
        except OSError:
            pass  # somebody else has to say why

    def do_try(self, length: str, scratch: str, content: str) -> None:
        """Find out what can be done here."""
        command = self.read(int(length)).decode()
        try:
            self.make(scratch)
            probe = os.path.join(scratch, "probe")
            with open(probe, "x") as file:
                file.write(content)
            print("time", int(os.stat(probe).st_mtime))
            print("folds", int(os.path.lexists(os.path.join(scratch, "PROBE"))))
            shell = ["/bin/sh", "-c", command]
            pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
            done = subprocess.run(shell, check=False, cwd=scratch, stdin=nothing, stdout=pipe)  # noqa: S603 -- ours
            print("said", done.stdout.hex())
        except OSError as error:
            print("!", error)

    def make(self, directory: str) -> None:
        """Make a new directory, and remember those that were not there."""
        self.made, above = [directory], os.path.dirname(directory)
        while above and not os.path.lexists(above):
            self.made.insert(0, above)
            above = os.path.dirname(above)
        if above:  # in an old place somebody may be about to use these
            self.made = [directory]
        os.makedirs(directory, self.mode)

    def do_clear(self) -> None:
        """Leave nothing of that; what somebody else has put into a directory since stays."""
        if self.made:
            shutil.rmtree(self.made.pop(), ignore_errors=True)
        while self.made:
            with contextlib.suppress(OSError):
                os.rmdir(self.made.pop())

    def bring_to_the_disk(self) -> bool:
        """Say whether that succeeded."""
        done = subprocess.run(self.sync.split(), check=False, stderr=subprocess.PIPE)  # noqa: S603 -- one that was probed
        said = done.stderr.decode("ascii", "backslashreplace").strip()
        print("not synced: " + said if done.returncode else "synced")
        return done.returncode == 0


def main() -> None:
    """Serve."""
    requests = sys.stdin.buffer
    mode, sync = int(requests.readline(), 8), requests.readline().decode().strip()
    os.umask(0o777 & ~mode)
    Agent(requests, mode, sync).serve()


if __name__ == "__main__":
    main()
