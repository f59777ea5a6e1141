"""Whether a job gets by with so much memory: `emojob score ARCHIVE` in a control group of its own.

python tests/benchmarks/memory_limit.py ARCHIVE [--megabytes 1500] [--rows N]

Needs the right to make a control group (version 1 or 2). Printed: seconds, the most memory that the group had in use,
the cache of files included, and how often it met its limit.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive")
    parser.add_argument("--megabytes", type=int, default=1500)
    parser.add_argument("--rows", type=int)
    given = parser.parse_args()
    is_first = (ROOT / "memory").is_dir()
    group = (ROOT / "memory" if is_first else ROOT) / f"emojob-{os.getpid()}"
    group.mkdir()
    names = ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt") if is_first else (
        "memory.max", "memory.peak", "memory.events")  # fmt: skip
    limit, peak, events = (group / name for name in names)
    try:
        limit.write_text(str(given.megabytes * 1_000_000))
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "emojob", "score", given.archive, "-o", f"{folder}/out", "--quiet"]
            command += ["--limit", str(given.rows)] if given.rows else []
            begun = time.perf_counter()
            done = subprocess.run(
                command, check=False, preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
            )
            seconds = time.perf_counter() - begun
        said = " ".join(events.read_text().split())
        print(f"exit code {done.returncode}, {seconds:.0f} s, at most {int(peak.read_text()) >> 20:,} MiB, {said}")  # noqa: T201
    finally:
        group.rmdir()


if __name__ == "__main__":
    main()
