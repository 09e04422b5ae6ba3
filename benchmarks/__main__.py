"""Measure what we claim about speed: ``scripts/bench``."""

from benchmarks.command import main

if __name__ == "__main__":
    main()
