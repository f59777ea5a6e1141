"""What a night leaves for those who watch over it: a JSON line in a log, and metrics for Prometheus."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from emojob.pipeline.nightly.night import Night
from emojob.pipeline.storage.atomic import write_bytes


def log_night(file: Path, night: Night) -> None:
    """Append a night as one JSON line; a night that came to the same as its last line says is not told again."""
    told = night.as_json()
    last = _last_of(file, night)
    if not night.changed and last is not None and last.get("failed") == night.failed:
        return
    line = json.dumps(told, ensure_ascii=False)
    line = line if line.isprintable() else json.dumps(told)
    with file.open("a+b") as log:
        log.seek(0, os.SEEK_END)
        if log.tell():
            log.seek(-1, os.SEEK_END)
            if log.read(1) != b"\n":  # a line that was cut off by a kill or a full disk stays a line of its own
                log.write(b"\n")
        log.write(f"{line}\n".encode())
        log.flush()
        os.fsync(log.fileno())


def _last_of(file: Path, night: Night) -> dict[str, Any] | None:
    """The last line of this night's day; None where there is none."""
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
    """Write a night's metrics in Prometheus's text format, as node_exporter's textfile collector reads them."""
    lines: list[str] = []

    def metric(name: str, what: str, *values: tuple[dict[str, str], float]) -> None:
        lines.append(f"# HELP emojob_{name} {what}")
        lines.append(f"# TYPE emojob_{name} gauge")
        for labels, value in values:
            inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"emojob_{name}{f'{{{inner}}}' if inner else ''} {float(value)!r}")

    counts = night.counts
    day = night.day.toordinal() - 719163  # days since 1970
    metric(
        "night_timestamp_seconds",
        "The day of the last night, as the moment at which it began (UTC).",
        ({}, day * 86400),
    )
    metric("inputs", "Input files that the night looked at.", ({}, night.inputs))
    metric("inputs_scored", "Input files that the night scored.", ({}, len(night.scored)))
    metric("inputs_failed", "Input files that could not be read.", ({}, len(night.failed)))
    metric("rows_scored", "Rows that the night read.", ({}, sum(one.rows for one in night.scored)))
    states = {
        "labelled": counts.labelled,
        "empty": counts.empty,
        "rejected": counts.rejected,
        "truncated": counts.truncated,
    }
    metric(
        "day_rows", "Rows of the night's day by what became of them.", *(({"state": s}, n) for s, n in states.items())
    )
    metric(
        "day_emotion_rows", "Labelled rows of the night's day by emotion.",
        *(({"emotion": emotion}, rows) for emotion, rows in counts.emotions.items()),
    )  # fmt: skip
    if night.drift and night.drift.checks:
        checks = night.drift.checks
        metric("drift", "Figures of the night's day that are watched.", *(({"check": c.name}, c.value) for c in checks))
        metric("drift_alarm", "Whether a figure is beyond its limit.", *(({"check": c.name}, c.alarm) for c in checks))
    content = ("\n".join(lines) + "\n").encode()
    if file.exists() and file.read_bytes() == content:
        os.utime(file)  # it is as fresh as this night
        return
    mode = file.stat().st_mode if file.exists() else None
    write_bytes(file, content)
    if mode is not None:
        file.chmod(mode & 0o777)  # the exporter is another user, who was let in once


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
