"""Writes the result of a nightly run for monitoring: a JSON line in a log, and metrics for Prometheus."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.nightly.outcome import Night
from emojob.pipeline.storage.atomic import write_bytes
from emojob.pipeline.storage.paths import output_errors


def record_night(config: NightlyConfig, night: Night) -> None:
    """Write the result of a nightly run to the log and the metrics file.

    Raises:
        StorageError: A file cannot be written.
    """
    for name, write in ((config.monitoring.log, log_night), (config.monitoring.prometheus, write_metrics)):
        file = config.local_path(name)
        if file:
            with output_errors(file):
                write(file, night)


def log_night(file: Path, night: Night) -> None:
    """Append the result of a nightly run to the log, as a JSON line.

    No line is appended if both conditions are true:

    - The run did not change the archive.
    - The log's last line for this date contains the same failed inputs.

    Args:
        file: The log. A missing log is created.
        night: Result of the nightly run.

    Raises:
        OSError: The log cannot be read or written.
    """
    values = night.as_json()
    last = _last_of(file, night)
    if not night.changed and last is not None and last.get("failed") == night.failed:
        return
    line = json.dumps(values, ensure_ascii=False)
    line = line if line.isprintable() else json.dumps(values)
    with file.open("a+b") as log:
        log.seek(0, os.SEEK_END)
        if log.tell():
            log.seek(-1, os.SEEK_END)
            if log.read(1) != b"\n":  # the last line is incomplete: a run was killed, or the disk was full
                log.write(b"\n")
        log.write(f"{line}\n".encode())
        log.flush()
        os.fsync(log.fileno())


def is_log(file: Path) -> bool:
    """Return whether a file contains a line of `log_night`. Raises OSError if the file cannot be read."""
    with file.open("rb") as lines:
        return any(line.startswith(b'{"day": "') for line in lines)


def is_metrics(file: Path) -> bool:
    """Return whether a file begins like the file of `write_metrics`. Raises OSError if the file cannot be read."""
    start = b"# HELP emojob_"
    with file.open("rb") as stream:
        return stream.read(len(start)) == start


def _last_of(file: Path, night: Night) -> dict[str, Any] | None:
    """Return the last log line for the date of `night`. Return None if the log has no line for this date."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    mark = f'{{"day": "{night.day.isoformat()}"'
    for line in reversed(lines):
        if line.startswith(mark):
            with contextlib.suppress(ValueError):
                return dict(json.loads(line))
    return None


def write_metrics(file: Path, night: Night) -> None:
    """Write the metrics file for node_exporter. Raises OSError if the file cannot be written."""
    content = metrics_text(night).encode()
    if file.exists() and file.read_bytes() == content:
        os.utime(file)  # node_exporter exports the file time, which shows when the last run ended
        return
    mode = file.stat().st_mode if file.exists() else None
    write_bytes(file, content)
    if mode is not None:
        file.chmod(mode & 0o777)  # keep the permissions, so that the user of node_exporter can read the file


def metrics_text(night: Night) -> str:
    """Return the metrics of a nightly run in the Prometheus text format."""
    counts = night.counts
    first_moment = (night.day.toordinal() - datetime.date(1970, 1, 1).toordinal()) * 86400
    states = ("labelled", "empty", "rejected", "truncated")
    lines = [
        *_metric("night_timestamp_seconds", "Date of the last nightly run (UTC).", [({}, first_moment)]),
        *_metric("inputs", "Input files that the nightly run found.", [({}, night.inputs)]),
        *_metric("inputs_scored", "Input files that the nightly run scored.", [({}, len(night.scored))]),
        *_metric("inputs_failed", "Input files that could not be read.", [({}, len(night.failed))]),
        *_metric(
            "inputs_unlabelled", "Input files with rejected rows of which no row is labelled.",
            [({}, sum(one.rejected > 0 for one in night.unlabelled))],
        ),
        *_metric("rows_scored", "Rows that the nightly run read.", [({}, sum(one.rows for one in night.scored))]),
        *_metric(
            "day_rows", "Rows on the date of the nightly run, by state.",
            [({"state": state}, getattr(counts, state)) for state in states],
        ),
        *_metric(
            "day_emotion_rows", "Labelled rows on the date of the nightly run, by emotion.",
            [({"emotion": emotion}, rows) for emotion, rows in counts.emotions.items()],
        ),
    ]  # fmt: skip
    checks = night.drift.checks if night.drift else ()
    if checks:
        lines += _metric(
            "drift", "Drift figures on the date of the nightly run.", [({"check": c.name}, c.value) for c in checks]
        )
        lines += _metric(
            "drift_alarm", "Whether a drift figure is beyond its limit.", [({"check": c.name}, c.alarm) for c in checks]
        )
    return "\n".join(lines) + "\n"


def _metric(name: str, description: str, values: list[tuple[dict[str, str], float]]) -> Iterator[str]:
    """Yield the lines of a Prometheus gauge. `values` is a list of ({label name: label value}, number)."""
    yield f"# HELP emojob_{name} {description}"
    yield f"# TYPE emojob_{name} gauge"
    for labels, value in values:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"emojob_{name}{f'{{{inner}}}' if inner else ''} {float(value)!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
