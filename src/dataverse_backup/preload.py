"""What the fork server, from which worker processes are made (see `workers`), imports before anything else.

Nobody else imports it: what it does to its process is all it is for, and to import modules is the only thing that a
fork server can be told to do (``multiprocessing.set_forkserver_preload``).
"""

import gc
import signal
import sys

# Ctrl-C reaches all processes of a terminal, and SIGTERM all those of a unit of systemd: the run knows what to do then.
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)

# What is imported stays. A worker looks for garbage, but never among this: memory that nobody writes to is shared.
gc.disable()

# It is started as ``python -c``, which looks for modules in the folder that somebody happens to work in, first of all.
sys.path[:] = [folder for folder in sys.path if folder]
