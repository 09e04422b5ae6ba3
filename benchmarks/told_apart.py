"""Run the command and tell what it took by itself and what its workers took: ``python -m benchmarks.told_apart``."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from dataverse_backup.cli import main


def _seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    told, *sys.argv[1:] = sys.argv[1:]
    try:
        main()
    finally:
        its_own, its_workers = _seconds(resource.RUSAGE_SELF), _seconds(resource.RUSAGE_CHILDREN)
        Path(told).write_text(json.dumps([its_own, its_workers]))
