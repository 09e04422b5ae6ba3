"""Takes batches of objects and gives them their names; runs at the destination, on Python 3.6 or later.

Started with `-c` and the standard library alone, in the root; serves until its input ends. The first two lines of that
are the mode of new directories in octal, and the command that brings everything to the disk. Then come requests, each a
line of words; a LENGTH at the end of one says how many bytes follow it. Where one is answered, the answer is lines,
after the last of which comes a point alone. Two kinds of lines may come at any time: ``~`` is a sign of life while much
is being hashed, ``^ NAME ERROR WORDS`` says that nothing more need be sent of a big object.

``hello TOKEN``: the last lines of the answer are TOKEN, whatever a login shell may have printed before it, and what
``identity`` says.

``ours LENGTH`` is followed by what the identity of the root must be from now on. Requests that look into the root begin
with a look at that, along its path, for another disk may be there by now; where it is not so, the last line of all is
``not ours``.

``identity``: the answer is what the identity is, in hexadecimal digits, or ``-`` where there is none.

``sizes LENGTH``, keys: a line for each, its size, or ``-`` where no object lies.

``digests ALGORITHM LENGTH``, keys: a line for each, its size and digest; ``missing`` where nothing lies; ``?`` for what
cannot be read, or is no file: somebody else has to say why.

``begin DIRECTORY`` makes the staging directory of a batch; ``begin DIRECTORY alone`` says that nobody else has to do
with what lies there, so that it is removed where the input ends, but for what may be continued.

``listed DIRECTORY``: the names of what lies in a directory.

``file ALGORITHM NAME MODE LENGTH``: an object of so many bytes lies there under that name from then on.

``open ALGORITHM NAME LENGTH`` is followed by the key of a big one, which must be free; ``data LENGTH`` by the next of
its bytes; ``close MODE`` ends it, ``drop`` removes it, ``keep LENGTH`` lets what came lie under the key that follows.

``prove`` brings all that came since the last time to the disk and hashes what lies there. The answer: ``synced``, or
why not; then for each object its name and digest, or ``!``, its name, an ERROR, and why there is none.

``name LENGTH``, pairs of staged name and key: the answer tells for each its staged name and ``0``, or the ERROR that
left it where it was, and why. ``discard LENGTH``, staged names: they are not wanted any more.

``put LENGTH``: for each note its staged name, its key, and ``1`` where it is to be there or ``0`` where it is not to
be. The answer is that to ``name``; before it ``synced`` or why nothing was done. What lies under the key of a note and
is no file stays.

``end``: the answer is ``removed`` if nothing was left in the staging directory; ``synced``, or why not.

``sync COMMAND`` says with which command everything is brought to the disk from now on.

``look KEY`` asks for what there is: ``root`` and its path; ``free`` and so many bytes; ``identity``, and of the file
KEY its size, the whole seconds of its time and its text, if there is one; no such line where it cannot be read.

``make SCRATCH CONTENT`` leaves a file ``probe`` with this content in a new directory, and nothing of old ones. ``try
LENGTH`` is followed by so many bytes, a command of the shell. The answer is ``time``, that of the file; ``folds``,
and ``1`` where it lies under ``PROBE`` too; ``said``, and what the command said in there; or ``!`` and why not.
``clear`` takes away what was made.

Names and texts that may hold anything are told in hexadecimal digits. Words that follow a request are ended by NUL
each. An ERROR is a name as in errno.h, or ``-``. Only ``put`` takes a name away from anything: `move` fails where
a name is taken. A request that ends in the middle, as when a connection is lost, has no effect.
"""

import errno
import hashlib
import os
import stat
import sys
import time

TYPE_CHECKING = False
"""As in `typing`, which takes longer to import than all of the others; so do `contextlib` and `subprocess`."""
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from hashlib import _Hash
    from typing import BinaryIO

LENGTH = 1 << 20
TEXT_LENGTH = 4096
IDENTITY = ".dataverse-backup/identity"
TRIAL = ".dataverse-backup-trial-"
ABANDONED = 3600.0
CONTINUED = "big-"
"""How the names begin of what may be continued."""
ANSWERED = frozenset(
    ["clear", "digests", "end", "hello", "identity", "listed", "look", "name", "prove", "put", "sizes", "try"]
)
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)
NO_SUCH_RENAME = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
AT_FDCWD, RENAME_NOREPLACE = -100, 1
SYNCFS = "sync -f ."
"""What there is a call of the system for, on Linux."""


class Agent:
    """Does what the requests say."""

    def __init__(self, requests: "BinaryIO", mode: int, sync: str) -> None:
        self.requests, self.mode, self.sync = requests, mode, sync
        self.root, self.identity = os.getcwd(), b""
        self.directory, self.is_alone, self.name, self.number = "", False, "", -1
        self.came: list[tuple[str, str, str, int]] = []
        """Of what came and is not proven: its name, its algorithm, why it is not there, or nothing, and its size."""
        self.mask = 0o777 & ~mode
        """What the system takes away from the mode of a new file."""
        self.library = system_library()
        self.buffer = memoryview(bytearray(LENGTH))
        self.spoke = time.monotonic()
        self.made = ""
        """The directory that the last `make` made."""
        self.trouble = "nothing was made"
        """Why it did not leave what it was to leave, or nothing."""

    def serve(self) -> None:
        """Do all that comes."""
        for line in iter(self.requests.readline, b""):
            if not line.endswith(b"\n"):
                raise SystemExit
            word, *words = line.decode().split()
            getattr(self, "do_" + word)(*words)
            if word in ANSWERED:
                self.say(".")

    def say(self, *words: object) -> None:
        """Say it at once."""
        print(*words, flush=True)
        self.spoke = time.monotonic()

    def read(self, length: int) -> bytes:
        """So many bytes of the input; where it is over before, nobody is there any more who could be answered."""
        data = self.requests.read(length)
        if len(data) < length:
            raise SystemExit
        return data

    def words(self, length: str) -> "list[bytes]":
        """What follows a request."""
        return self.read(int(length)).split(b"\0")[:-1]

    def do_hello(self, token: str) -> None:
        """Say which line is the first of ours."""
        self.enter()
        print("\n" + token)
        self.do_identity()

    def do_ours(self, length: str) -> None:
        """Note whose the root must be."""
        self.identity = self.read(int(length))

    def enter(self) -> None:
        """Go where the root is now."""
        try:
            os.chdir(self.root)
            if not self.identity or self.told() == self.identity:
                return
        except OSError:
            pass
        self.say("not ours")
        self.directory = ""
        raise SystemExit

    def told(self) -> bytes:
        """The identity that lies there."""
        try:
            with open(IDENTITY, "rb") as file:
                return file.read(TEXT_LENGTH).strip()
        except (FileNotFoundError, NotADirectoryError):
            return b""

    def do_identity(self) -> None:
        """Tell it."""
        os.chdir(self.root)
        print(self.told().hex() or "-")

    def do_sizes(self, length: str) -> None:
        """Tell of objects."""
        keys = self.words(length)
        self.enter()
        for key in keys:
            try:
                found = os.lstat(key)
                print(found.st_size if stat.S_ISREG(found.st_mode) else "-")
            except (OSError, ValueError):
                print("-")

    def do_digests(self, algorithm: str, length: str) -> None:
        """Hash objects again."""
        keys = self.words(length)
        self.enter()
        for key in keys:
            print(self.stored(key, algorithm))

    def stored(self, key: bytes, algorithm: str) -> str:
        """What is said of one object."""
        try:
            number = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            return "missing" if error.errno in (errno.ENOENT, errno.ENOTDIR) else "?"
        try:
            found = os.fstat(number)
            is_file = stat.S_ISREG(found.st_mode)
            return " ".join(self.hashed(number, algorithm, found.st_size)) if is_file else "?"
        except (OSError, ValueError):
            return "?"
        finally:
            os.close(number)

    def hashed(self, number: int, algorithm: str, expected: int) -> "tuple[str, str]":
        """Size and digest of an open file, as it is stored; ValueError where this Python does not hash like that.

        It is read to its end, which is there where a read gives less than was asked for, and the *expected* size then.
        """
        digest, size, length, is_over = fresh(algorithm), 0, -1, False
        while length and not is_over:
            length = os.readv(number, [self.buffer])
            digest.update(self.buffer[:length])
            size += length
            is_over = length < LENGTH and size == expected
            if time.monotonic() - self.spoke > 1:
                self.say("~")
        return str(size), digest.hexdigest()

    def do_sync(self, *command: str) -> None:
        """Take another command for that."""
        self.sync = " ".join(command)

    def do_begin(self, directory: str, *how: str) -> None:
        """Begin with a batch."""
        self.enter()
        self.came = []
        os.makedirs(directory, self.mode, exist_ok=True)
        self.directory, self.is_alone = directory, how == ("alone",)

    def do_listed(self, directory: str) -> None:
        """Tell what lies in a directory of staging."""
        try:
            names = os.listdir(directory)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            print(name.encode("ascii", "backslashreplace").decode())

    def do_file(self, algorithm: str, name: str, mode: str, length: str) -> None:
        """Take one object."""
        left, rights = int(length), int(mode, 8)
        self.start(algorithm, name, left, 0o600 if rights & self.mask else rights)
        while left:
            data = self.read(min(left, LENGTH))
            left -= len(data)
            self.write(data)
        self.close(rights if rights & self.mask else None)

    def do_open(self, algorithm: str, name: str, length: str) -> None:
        """Take a big one, if its key is free."""
        key = self.read(int(length))
        if os.path.lexists(key):
            self.name, self.number = name, -1
            self.came.append((name, algorithm, "EEXIST File exists", 0))
            self.tell_why()
        else:
            self.start(algorithm, name, -1, 0o600)
            if self.number < 0:
                self.tell_why()

    def tell_why(self) -> None:
        """Say why the last one is not there."""
        name, _, why, _ = self.came[-1]
        self.say("^", name, why)

    def start(self, algorithm: str, name: str, size: int, rights: int) -> None:
        """Let a new file be open, of a size that may be told later, and then is -1 here."""
        self.name, why = name, ""
        try:
            self.number = os.open(f"{self.directory}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights)
        except OSError as error:
            self.number, why = -1, named(error)
        self.came.append((name, algorithm, why, size))

    def do_data(self, length: str) -> None:
        """Take more of a big one."""
        data = self.read(int(length))
        was_open = self.number >= 0
        self.write(data)
        if was_open and self.number < 0:
            self.tell_why()

    def write(self, data: bytes) -> None:
        """Write to the open file, as long as that goes well."""
        try:
            while data and self.number >= 0:
                data = data[os.write(self.number, data) :]
        except OSError as error:
            self.fail(error)

    def fail(self, error: OSError) -> None:
        """Give the open file up."""
        os.close(self.number)
        self.number = -1
        name, algorithm, _, size = self.came[-1]
        self.came[-1] = name, algorithm, named(error), size
        removed(f"{self.directory}/{self.name}")

    def do_close(self, mode: str) -> None:
        """All of a big one is here."""
        self.close(int(mode, 8))

    def close(self, rights: "int | None") -> None:
        """All of it is here, and gets these rights, if it does not have them."""
        if self.number < 0:
            return
        try:
            if rights is not None:
                os.fchmod(self.number, rights)
        except OSError as error:
            self.fail(error)
            return
        os.close(self.number)
        self.number = -1

    def do_drop(self) -> None:
        """It is not wanted."""
        if self.number >= 0:
            self.fail(OSError(errno.ECANCELED, "not wanted"))
        self.came.pop()

    def do_keep(self, length: str) -> None:
        """It is not whole, and shall lie where it is found again."""
        key = self.read(int(length))
        if self.number >= 0:
            os.close(self.number)
            self.number = -1
            self.link(os.path.join(self.directory, self.name).encode(), key)
        self.came.pop()

    def do_prove(self) -> None:
        """Hash what is on the disk."""
        self.bring_to_the_disk()
        came, self.came = self.came, []
        for name, algorithm, why, size in came:
            print("! " + name + " " + why if why else self.proof(name, algorithm, size))

    def proof(self, name: str, algorithm: str, size: int) -> str:
        """What is said of one that came."""
        try:
            number = os.open(f"{self.directory}/{name}", os.O_RDONLY)
            try:
                return f"{name} {self.hashed(number, algorithm, size)[1]}"
            finally:
                os.close(number)
        except OSError as error:
            return f"! {name} {named(error)}"
        except ValueError as error:
            return f"! {name} - {error}"

    def do_name(self, length: str) -> None:
        """Let objects have their keys."""
        words = self.words(length)
        self.enter()
        directory = self.directory.encode()
        for name, key in zip(words[::2], words[1::2]):
            print(name.decode(), self.link(b"%s/%s" % (directory, name), key))

    def link(self, staged: bytes, key: bytes) -> str:
        """Let the object have its key, and only that; 0 or an error."""
        try:
            try:
                self.move(staged, key)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(key), self.mode, exist_ok=True)
                self.move(staged, key)
        except OSError as error:
            return named(error)
        return "0"

    def move(self, staged: bytes, key: bytes) -> None:
        """Where there are neither such renames nor links the name is seen to be free first."""
        if self.renamed(staged, key):
            return
        try:
            os.link(staged, key)
        except OSError as error:
            if error.errno not in NO_LINKS or os.path.lexists(key):
                raise
            os.rename(staged, key)
        else:
            os.unlink(staged)

    def renamed(self, staged: bytes, key: bytes) -> bool:
        """Whether the system can rename in one call, and never onto anything; then it has done so."""
        if self.library is None or not hasattr(self.library, "renameat2"):
            return False
        if self.library.renameat2(AT_FDCWD, staged, AT_FDCWD, key, RENAME_NOREPLACE) == 0:
            return True
        error = last_error()
        if error.errno in NO_SUCH_RENAME:
            return False
        raise error

    def do_discard(self, length: str) -> None:
        """Remove what is staged."""
        for name in self.words(length):
            removed(b"%s/%s" % (self.directory.encode(), name))

    def do_put(self, length: str) -> None:
        """Let notes lie under their keys, or nothing."""
        words = self.words(length)
        failed = {name.encode(): why for name, _, why, _ in self.came if why}
        self.came = []
        if not self.bring_to_the_disk():
            return
        for name, key, is_one in zip(words[::3], words[1::3], words[2::3]):
            staged = os.path.join(self.directory.encode(), name)
            print(name.decode(), failed.get(name) or self.put(staged, key, is_one=is_one == b"1"))

    def put(self, staged: bytes, key: bytes, *, is_one: bool) -> str:
        """Let the note lie under its key, or nothing; 0 or an error."""
        try:
            try:
                if not stat.S_ISREG(os.lstat(key).st_mode):
                    return "EEXIST File exists"
            except FileNotFoundError:
                if not is_one:
                    return "0"
                os.makedirs(os.path.dirname(key) or b".", self.mode, exist_ok=True)
            if is_one:
                os.replace(staged, key)
            else:
                os.unlink(key)
        except OSError as error:
            return named(error)
        return "0"

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

    def do_make(self, scratch: str, content: str) -> None:
        """Leave something to try things out with."""
        try:
            self.clear_abandoned()
            os.mkdir(scratch, self.mode)
            self.made = scratch
            with open(os.path.join(scratch, "probe"), "x") as file:
                file.write(content)
            self.trouble = ""
        except OSError as error:
            self.trouble = str(error)

    def clear_abandoned(self) -> None:
        """Leave nothing of trials whose maker was killed."""
        for name in os.listdir("."):
            if name.startswith(TRIAL) and is_abandoned(name):
                remove_tree(name)

    def do_try(self, length: str) -> None:
        """Find out what can be done with it."""
        command = self.read(int(length)).decode()
        if self.trouble:
            print("!", self.trouble)
            return
        scratch = self.made
        print("time", int(os.stat(os.path.join(scratch, "probe")).st_mtime))
        print("folds", int(os.path.lexists(os.path.join(scratch, "PROBE"))))
        import subprocess

        shell = ["/bin/sh", "-c", command]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        done = subprocess.run(shell, check=False, cwd=scratch, stdin=nothing, stdout=pipe)  # noqa: S603 -- ours
        print("said", done.stdout.hex())

    def do_clear(self) -> None:
        """Leave nothing of that."""
        self.trouble = "nothing was made"
        if self.made:
            remove_tree(self.made)
            self.made = ""

    def do_end(self) -> None:
        """All is done with this batch."""
        self.enter()
        if removed(self.directory, os.rmdir):
            self.directory = ""
            print("removed")
        self.bring_to_the_disk()

    def leave(self) -> None:
        """Leave nothing of a batch, or of a trial, that did not end."""
        self.do_clear()
        if not self.directory or not self.is_alone:
            return
        try:
            names = os.listdir(self.directory)
        except OSError:
            return
        for name in names:
            if not name.startswith(CONTINUED):
                removed(f"{self.directory}/{name}")
        removed(self.directory, os.rmdir)

    def bring_to_the_disk(self) -> bool:
        """Say whether that succeeded."""
        is_synced, why = self.synced()
        print("synced" if is_synced else "not synced: " + why)
        return is_synced

    def synced(self) -> "tuple[bool, str]":
        """Whether everything is on the disk, and why not."""
        if self.sync == SYNCFS and self.library is not None and hasattr(self.library, "syncfs"):
            return self.synced_by(self.library)
        import subprocess

        done = subprocess.run(self.sync.split(), check=False, stderr=subprocess.PIPE)  # noqa: S603 -- one that was probed
        return done.returncode == 0, done.stderr.decode("ascii", "backslashreplace").strip().replace("\n", " ")

    @staticmethod
    def synced_by(library: "CDLL") -> "tuple[bool, str]":
        """As the command does it, without starting a process."""
        try:
            number = os.open(".", os.O_RDONLY)
            try:
                if library.syncfs(number):
                    raise last_error()
            finally:
                os.close(number)
        except OSError as error:
            return False, str(error)
        return True, ""


def system_library() -> "CDLL | None":
    """The system's own, for what Python has no calls for; None where it is not to be had."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError, MemoryError):  # the last one where memory may not be made executable
        return None


def last_error() -> OSError:
    """That of the last call of the library."""
    import ctypes

    code = ctypes.get_errno()
    return OSError(code, os.strerror(code))


def removed(path: "bytes | str", remove: "Callable[..., None]" = os.unlink) -> bool:
    """Remove what may not be there; whether that was done."""
    try:
        remove(path)
    except OSError:
        return False
    return True


def remove_tree(path: "bytes | str") -> None:
    """Remove a directory and what is in it, as far as that can be done."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)


def is_abandoned(name: str) -> bool:
    """Whether it was made long ago."""
    try:
        return time.time() - os.lstat(name).st_mtime > ABANDONED
    except OSError:
        return False


def fresh(algorithm: str) -> "_Hash":
    """A new hash. Raises ValueError where there is none of that name."""
    try:
        return hashlib.new(algorithm, usedforsecurity=False)
    except TypeError:  # before Python 3.9
        return hashlib.new(algorithm)


def named(error: OSError) -> str:
    """The name of an error, which is the same on every system, and its words."""
    return f"{errno.errorcode.get(error.errno or 0, '-')} {error.strerror}"


def main() -> None:
    """Serve."""
    requests = sys.stdin.buffer
    mode, sync = int(requests.readline(), 8), requests.readline().decode().strip()
    os.umask(0o777 & ~mode)
    agent = Agent(requests, mode, sync)
    try:
        agent.serve()
    finally:
        agent.leave()


if __name__ == "__main__":
    main()
