"""Runs hundreds of nightly runs in minutes, and measures what each one uses.

python -m tests.torture.soak [--nights 400]    (from the project's root; prints a line for every 20 nightly runs)
"""

import argparse
import datetime
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.nightly.config import read_config
from emojob.pipeline.nightly.monitoring import log_night, write_metrics
from emojob.pipeline.nightly.night import run_night

KEPT = 10  # days; older rows are removed, so the archive stops growing


@dataclass(frozen=True)
class Usage:
    """What is in use after a nightly run.

    Attributes:
        memory: MB of this process.
        files: Number of open files.
        threads: Number of live threads.
        disk: KB of the files on disk, without the log, which gets a line each time, and without the memo, which grows
            to a few MB.
        seconds: Duration of the nightly run.
    """

    memory: float
    files: int
    threads: int
    disk: float
    seconds: float


def nights(folder: Path, model: Path | None, count: int) -> Iterator[Usage]:
    """Do `count` nightly runs, each with a new log, and yield the usage after each."""
    (folder / "logs").mkdir()
    named = f'model = "{model}"\n' if model else ""
    (folder / "night.toml").write_text(
        '[input]\nfiles = "logs/{date}.csv"\ndays_back = 2\n[output]\narchive = "out"\nfigures = "figures.json"\n'
        f'keep_days = {KEPT}\n[score]\nmemo = "night.memo"\ntime_column = "at"\n{named}'
        '[monitoring]\nlog = "nights.jsonl"\nprometheus = "night.prom"\n',
        encoding="utf-8",
    )
    config, chosen, own = read_config(folder / "night.toml"), random.Random(1), sample_texts()
    first = datetime.date(2026, 1, 1)
    for number in range(count):
        day = first + datetime.timedelta(days=number)
        rows = [f"{day} {i % 24:02}:00,c{i % 7},{chosen.choice(own)} {chosen.randrange(200)}" for i in range(60)]
        (folder / "logs" / f"{day}.csv").write_text(
            "\n".join(["at,conversation_id,text", *rows]) + "\n", encoding="utf-8"
        )
        if number > KEPT + 5:
            (folder / "logs" / f"{day - datetime.timedelta(days=KEPT + 5)}.csv").unlink()
        begun = time.perf_counter()
        night = run_night(config, day)
        log_night(folder / "nights.jsonl", night)
        write_metrics(folder / "night.prom", night)
        yield _usage(folder, time.perf_counter() - begun)


def _usage(folder: Path, seconds: float) -> Usage:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    skipped = ("nights.jsonl", "night.memo")
    disk = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file() and one.name not in skipped)
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    return Usage(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files, threading.active_count(), disk / 1e3, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=400)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        print("night  memory MB  files  threads  disk KB  s a night")  # noqa: T201
        some: list[Usage] = []
        for number, usage in enumerate(nights(folder, None, given.nights), 1):
            some.append(usage)
            if number % 20 == 0:
                *last, _ = astuple(usage)
                seconds = sorted(one.seconds for one in some[-20:])[10]
                print("{:5}  {:9.1f}  {:5}  {:7}  {:7.0f}  {:9.3f}".format(number, *last, seconds))  # noqa: T201
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
