"""Check that a job works within a memory limit: run `emojob score DATASET` in its own control group.

python tests/benchmarks/memory_limit.py DATASET [--megabytes 1500] [--rows N]

Needs the right to make a control group (version 1 or 2). Prints the seconds, the peak memory of the group including
the file cache, and how often it reached the limit.
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
    parser.add_argument("dataset")
    parser.add_argument("--megabytes", type=int, default=1500)
    parser.add_argument("--rows", type=int)
    given = parser.parse_args()
    is_version_1 = (ROOT / "memory").is_dir()
    group = (ROOT / "memory" if is_version_1 else ROOT) / f"emojob-{os.getpid()}"
    group.mkdir()
    names = ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt") if is_version_1 else (
        "memory.max", "memory.peak", "memory.events")  # fmt: skip
    limit, peak, events = (group / name for name in names)
    try:
        limit.write_text(str(given.megabytes * 1_000_000))
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "emojob", "score", given.dataset, "-o", f"{folder}/out", "--quiet"]
            command += ["--limit", str(given.rows)] if given.rows else []
            begun = time.perf_counter()
            done = subprocess.run(
                command, check=False, preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
            )
            seconds = time.perf_counter() - begun
        limit_events = " ".join(events.read_text().split())
        print(f"exit code {done.returncode}, {seconds:.0f} s, peak {int(peak.read_text()) >> 20:,} MiB, {limit_events}")  # noqa: T201
    finally:
        group.rmdir()


if __name__ == "__main__":
    main()
