"""One night: score what is new or changed, look for drift, make the report anew, drop what is too old."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emojob.pipeline.html.page import check_drawable
from emojob.pipeline.inference import memo_file
from emojob.pipeline.nightly.calendar import Calendar, Day, files_of
from emojob.pipeline.nightly.config import NightlyConfig, read_config
from emojob.pipeline.nightly.drift import Drift, drift
from emojob.pipeline.output.archive_folder import ArchiveFolder, ensure_ours
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.reading.dataset import open_dataset
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.report.figures import ReportOptions, make_figures
from emojob.pipeline.report.html_page import render_report
from emojob.pipeline.running.run import Progress, score_archive
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.paths import AnyPath, writing
from emojob.pipeline.storage.permissions import no_wider_than
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.manifest import Counts

_STATE = "nightly.json"


@dataclass(frozen=True)
class Scored:
    """An input that was scored this night. was: what became of it: new, changed, or late (of an earlier day)."""

    input: str
    day: Day
    rows: int
    was: str


@dataclass
class Night:
    """What a night came to."""

    day: Day
    inputs: int
    scored: list[Scored] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # input: why
    removed_rows: int = 0  # too old to be kept
    counts: Counts = field(default_factory=Counts)  # of the day
    rejected: int = 0  # rows of the inputs scored this night that could not be read
    drift: Drift | None = None
    written: list[AnyPath] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values, without a text of the archive; the same for the same night."""
        return {
            "day": self.day.isoformat(),
            "inputs": self.inputs,
            "scored": [{**asdict(one), "day": one.day.isoformat()} for one in self.scored],
            "failed": self.failed,
            "removed_rows": self.removed_rows,
            "rows": self.counts.read,
            "labelled": self.counts.labelled,
            "empty": self.counts.empty,
            "truncated": self.counts.truncated,
            "rejected": self.counts.rejected,
            "emotions": self.counts.emotions,
            "drift": self.drift.as_json() if self.drift else None,
        }

    @property
    def changed(self) -> bool:
        """Whether anything is another than before this night."""
        return bool(self.scored or self.removed_rows)


@dataclass(frozen=True)
class Plan:
    """What a night would do: its inputs by what would become of them, and the rows that would go."""

    day: Day
    inputs: dict[str, list[str]]  # new, changed, complete: names
    too_old_rows: int


def run_night(
    config: NightlyConfig,
    day: Day,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
) -> Night:
    """Do one night.

    report, note, stages: as those of `score_archive`. Raises what that raises but for inputs that cannot be read: those
    are told in `failed`. Raises BusyError where another night of the same archive is under way; what is there then
    stays as it is.
    """
    _check(config)
    there = files_of(config, day)
    with writing(config.archive), no_wider_than(file.path for file in there), _held(config.archive):
        state = _read_state(config.archive)
        calendar = Calendar(config, state)
        files = [file for file in there if not _too_old(calendar, file, day, config)]
        night = Night(day, len(files))
        for file in files:
            calendar.see(file.name, day)
        output = ArchiveFolder(config.archive)
        output.read_markers()
        before = _rows_by_input(output)
        _score(config, files, night, report, note, stages or Stages())
        output.read_markers()
        _tell(night, output, before, calendar)
        _remove_old(output, calendar, day, config, night)
        known = {file.name for file in there} | {marker.input for marker in output.markers}
        _write_state(config, {name: seen for name, seen in state.items() if name in known}, day)
        _judge(night, output, calendar, config)
        return night


def plan_night(config: NightlyConfig, day: Day) -> Plan:
    """What a night would do, without doing it. Files are told apart by their size alone."""
    _check(config)
    with writing(config.archive):
        return _plan(config, day)


def _plan(config: NightlyConfig, day: Day) -> Plan:
    calendar = Calendar(config, _read_state(config.archive))
    output = ArchiveFolder(config.archive)
    output.read_markers()
    sizes = {marker.input: marker.input_bytes for marker in output.markers}
    complete = {marker.input for marker in output.markers if marker.last}
    found: dict[str, list[str]] = {"new": [], "changed": [], "complete": []}
    for file in files_of(config, day):
        if _too_old(calendar, file, day, config):
            continue
        same = sizes.get(file.name) == file.size and file.name in complete
        found["complete" if same else "changed" if file.name in sizes else "new"].append(file.name)
    old = [marker.counts.written for marker in output.markers if _is_old(calendar.day_of(marker.input), day, config)]
    return Plan(day, found, sum(old))


# -- scoring -----------------------------------------------------------------------------------------------------------


def _score(
    config: NightlyConfig,
    files: list[InputFile],
    night: Night,
    report: Callable[[Progress], None],
    note: Callable[[str], None],
    stages: Stages,
) -> None:
    """Score the inputs together, and without those that cannot be read where there are any."""
    options, model = config.score_options(), config.model_options()

    def score(some: list[InputFile]) -> None:
        score_archive(
            [str(file.path) for file in some], config.archive, options, model, report, note, stages, grows=True
        )

    def opened(file: InputFile) -> None:
        open_dataset([file], options.text_column, options.encoding)

    def score_alone(file: InputFile) -> None:
        score([file])

    for look in (opened, score_alone):  # what is damaged is mostly seen where it is opened, at no great cost
        if not files:
            return
        try:
            score(files)
            return
        except DataError:
            for file in files:
                try:
                    look(file)
                except DataError as error:
                    night.failed[file.name] = str(error)
            files = [file for file in files if file.name not in night.failed]
    if files and night.failed:  # so that run.json tells of all of them
        score(files)


def _rows_by_input(output: ArchiveFolder) -> dict[str, tuple[str, int]]:
    """{input: (its hash, its rows)} of what is complete."""
    found: dict[str, tuple[str, int]] = {}
    for marker in output.markers:
        _, rows = found.get(marker.input, ("", 0))
        found[marker.input] = marker.input_sha256, rows + marker.counts.read
    return found


def _tell(night: Night, output: ArchiveFolder, before: dict[str, tuple[str, int]], calendar: Calendar) -> None:
    """Note which inputs were scored this night, and what they were."""
    after = _rows_by_input(output)
    for name, (content, rows) in sorted(after.items()):
        content_before, rows_before = before.get(name, (content, 0))
        if content == content_before and rows == rows_before:
            continue
        own = calendar.day_of(name) or night.day
        was = "changed" if content != content_before else "late" if own < night.day else "new"
        night.scored.append(Scored(name, own, rows if was == "changed" else rows - rows_before, was))
    scored = {one.input for one in night.scored}
    night.rejected = sum(marker.counts.rejected for marker in output.markers if marker.input in scored)


# -- what is kept ------------------------------------------------------------------------------------------------------


def _is_old(own: Day | None, day: Day, config: NightlyConfig) -> bool:
    keep = config.output.keep_days
    return bool(keep) and own is not None and own <= day - datetime.timedelta(days=keep)


def _too_old(calendar: Calendar, file: InputFile, day: Day, config: NightlyConfig) -> bool:
    return _is_old(calendar.day_of(file.name), day, config)


def _remove_old(output: ArchiveFolder, calendar: Calendar, day: Day, config: NightlyConfig, night: Night) -> None:
    old = [marker for marker in output.markers if _is_old(calendar.day_of(marker.input), day, config)]
    night.removed_rows = sum(marker.counts.written for marker in old)
    output.remove(old)


# -- what is written ---------------------------------------------------------------------------------------------------


def remake_report(archive: AnyPath) -> list[AnyPath]:
    """Make the report and the figures of an archive's last night anew, as its configuration says; what was written.

    Nothing where no night was of this archive. Raises OptionError where the configuration is there no more, and what
    `make_figures` raises.
    """
    kept = atomic.read_json(archive / "_emojob" / _STATE)
    try:
        file, day = Path(kept["config"]), Day.fromisoformat(kept["day"])
    except (KeyError, TypeError, ValueError):
        return []
    config = read_config(file)
    if config.archive.resolve() != archive.resolve():
        return []
    output = ArchiveFolder(archive)
    output.read_markers()
    night = Night(day, 0)
    _judge(night, output, Calendar(config, _read_state(archive)), config)
    return night.written


def _judge(night: Night, output: ArchiveFolder, calendar: Calendar, config: NightlyConfig) -> None:
    """Compare the night's day with those before it, and make the report of all of them."""
    days = calendar.counts(output.markers)
    night.counts = days.get(night.day, Counts())
    night.drift = drift(days, night.day, config.drift)
    if output.markers:
        _write_report(config, night)


def _write_report(config: NightlyConfig, night: Night) -> None:
    """Make the report anew; a file that would be the same is left as it is."""
    if not (config.output.report or config.output.figures):
        return
    archive = open_labelled(config.archive)
    options = ReportOptions(time_zone=config.score.time_zone, mask_pii=config.output.mask_pii)
    figures = make_figures(archive, options)
    figures.drift = night.drift.as_json() if night.drift else {}
    with no_wider_than(part_file.file for part_file in archive.part_files):
        if config.output.report:
            page = render_report(figures, config.output.language)
            _write_changed(config.named(config.output.report), page, night)
        if config.output.figures:
            _write_changed(config.named(config.output.figures), atomic.json_bytes(figures.as_json()), night)


def _write_changed(place: AnyPath, content: bytes, night: Night) -> None:
    night.written.append(place)
    with writing(place):
        with contextlib.suppress(FileNotFoundError):
            if place.read_bytes() == content:
                return
        atomic.write_bytes(place, content)


# -- state -------------------------------------------------------------------------------------------------------------


def _check(config: NightlyConfig) -> None:
    keep, back = config.output.keep_days, config.input.days_back
    if keep and config.input.has_date and keep <= back:
        raise OptionError(
            f"output.keep_days is {keep}, but input.days_back {back}: what is looked at again must be kept; give "
            f"keep_days more than {back}, or 0 to keep all"
        )
    for key, place in (("output.report", config.output.report), ("output.figures", config.output.figures)):
        folder = config.named(place or ".")
        if isinstance(folder, Path) and not folder.parent.is_dir():
            raise OptionError(f"{key} is {place!r}, but there is no folder {folder.parent}; make it, or name another")
    if config.output.report:
        check_drawable()
    for key in ("log", "prometheus"):
        config.path(getattr(config.monitoring, key))
    if memo := config.score_options().memo:
        memo_file.find(memo, "score.memo")
    with writing(config.archive):
        ensure_ours(config.archive)


@contextlib.contextmanager
def _held(archive: AnyPath) -> Iterator[None]:
    if isinstance(archive, Path):
        (archive / "_emojob" / "parts").mkdir(parents=True, exist_ok=True)
    with lock(archive / "_emojob" / "nightly.lock", archive):
        yield


def _read_state(archive: AnyPath) -> dict[str, str]:
    """{input: the day on which it was first seen}."""
    seen = atomic.read_json(archive / "_emojob" / _STATE).get("seen")
    return {str(name): str(day) for name, day in seen.items()} if isinstance(seen, dict) else {}


def _write_state(config: NightlyConfig, seen: dict[str, str], day: Day) -> None:
    place = config.archive / "_emojob" / _STATE
    now = {"format": 1, "seen": seen, "day": day.isoformat(), "config": str(config.file)}
    if now != atomic.read_json(place):
        atomic.write_json(place, now)
