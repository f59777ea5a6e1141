"""Runs the nightly job: scores new and changed inputs, removes old rows, checks for drift, and writes the report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import duckdb

from emojob.pipeline.html.page import check_drawable
from emojob.pipeline.inference import memo_file
from emojob.pipeline.nightly.calendar import Calendar, Day, Found, Seen, files_of
from emojob.pipeline.nightly.clock import would_empty
from emojob.pipeline.nightly.config import NightlyConfig, errors_in_settings, in_settings
from emojob.pipeline.nightly.missing import missing_files
from emojob.pipeline.nightly.night_files import HoldsNoDialogue, check_night_files, open_input
from emojob.pipeline.nightly.night_report import report_night
from emojob.pipeline.nightly.outcome import Night, Plan, Scored
from emojob.pipeline.nightly.retention import remove_old_rows, take_outdated
from emojob.pipeline.nightly.state import night_lock, read_seen, still_needed, write_seen, write_state
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.compatibility import ensure_archive_or_empty
from emojob.pipeline.output.coverage import complete_inputs
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.selection import passed_over_note
from emojob.pipeline.running.moved_inputs import (
    change_moved,
    earlier_names,
    find_moved,
    inputs_of_files,
    moved_notes,
)
from emojob.pipeline.running.prepare import prepare
from emojob.pipeline.running.role_summary import RoleSummary, roles_of_archive, roles_of_dataset
from emojob.pipeline.running.run import Progress, score_dataset
from emojob.pipeline.running.unlabelled import problems, unlabelled_inputs
from emojob.pipeline.storage.paths import as_local, output_errors, path_name
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.system.prefetch import Stages
from emojob.pipeline.times.zones import check_zone
from emojob.schemas.errors import DataError, EmojobError, OptionError, OutputError


@errors_in_settings()
def run_night(
    config: NightlyConfig,
    day: Day,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
    is_from_clock: bool = False,
) -> Night:
    """Run the nightly job for one date.

    Args:
        config: The configuration.
        day: Date of the nightly run.
        report: callback(progress), called about ten times per second while rows are scored.
        note: callback(line), called with each message for the user.
        stages: Threads of the scoring run. A signal handler can call `stages.stop()` to stop the run.
        is_from_clock: Whether `day` comes from the system clock. Then the run does not remove the whole archive.

    Returns:
        The result. `failed` contains the inputs that cannot be read.

    Raises:
        BusyError: The archive is locked by another nightly run. Nothing is changed.
        EmojobError: The scoring failed. Unreadable inputs raise no error.
    """
    _check(config)
    tell, note = note, lambda text: tell(in_settings(text))
    inputs = _inputs(config, day, note)
    found, limits = inputs.days, limit_permissions(file.path for file in inputs.days)
    with output_errors(config.archive), limits, night_lock(config.archive, note):
        output, keep_days = ArchiveFolder(config.archive), config.output.keep_days
        calendar, seen, moved = _recognized(config, found, output)
        write_seen(config.archive, seen)
        files = [file for file in found if not calendar.is_too_old(file.name, day, keep_days)]
        night = _new_night(config, day, len(files), inputs.failed)
        _keep_rows(config, moved, output, note)
        before = _rows_by_input(output)
        _Scoring(config, night, report, note, stages or Stages(), calendar).run(files)
        output.read_markers()
        _judge(night, output, before, config, inputs, calendar)
        is_doubtful = is_from_clock and would_empty(calendar, output.markers, day, keep_days, note)
        night.removed_rows = 0 if is_doubtful else remove_old_rows(config, day, calendar, output, note)
        known = {file.name for file in found} | {marker.input for marker in output.markers}
        write_state(config, still_needed(config.archive, seen, known, day, keep_days), day)
        night.without_day = calendar.without_day(output.markers)
        report_night(night, output, calendar, config, note)
        if not is_doubtful:
            night.taken = take_outdated(config, day, night.removed_rows)
        return night


@errors_in_settings()
def plan_night(config: NightlyConfig, day: Day) -> Plan:
    """Return the plan of a nightly run. Nothing is changed.

    The plan opens the new and changed inputs, to check their columns. It lists an input as "changed" in two cases:

    - The file size has changed.
    - An earlier run did not score all rows.

    Args:
        config: The configuration.
        day: Date of the nightly run.

    Raises:
        OptionError: Two settings conflict, a folder is missing, a package is missing, or the run would overwrite a file
            that emojob did not write.
        ModelError: The model cannot be used.
        OutputError: The archive's folder contains files that emojob did not write, or the archive was labelled with
            other settings.
    """
    _check(config)
    with output_errors(config.archive):
        return _plan(config, day)


def _plan(config: NightlyConfig, day: Day) -> Plan:
    notes: list[str] = []
    inputs, output, keep_days = (
        _inputs(config, day, notes.append),
        ArchiveFolder(config.archive),
        config.output.keep_days,
    )
    found = inputs.days
    calendar, _, moved = _recognized(config, found, output)
    change_moved(output, moved, writes=False)
    notes += moved_notes(moved)
    sizes = {marker.input: marker.input_bytes for marker in output.markers}
    complete = complete_inputs(output.markers)
    states: dict[str, list[str]] = {"new": [], "changed": [], "complete": []}
    for file in found:
        if calendar.is_too_old(file.name, day, keep_days):
            continue
        same = sizes.get(file.name) == file.size and file.name in complete
        states["complete" if same else "changed" if file.name in sizes else "new"].append(file.name)
    old = (marker for marker in output.markers if calendar.is_too_old(marker.input, day, keep_days))
    old_rows = sum(marker.counts.written for marker in old)
    missing = missing_files(config, day, inputs, _days_with_rows(output, calendar))
    waiting = [file for file in found if file.name in {*states["new"], *states["changed"]}]
    failed, roles = _checked(config, waiting, output)
    failed = {name: in_settings(error) for name, error in (inputs.failed | failed).items()}
    return Plan(
        day, states, old_rows, failed, [in_settings(note) for note in notes], missing, roles, config.output.language
    )


def _checked(
    config: NightlyConfig, files: list[InputFile], output: ArchiveFolder
) -> tuple[dict[str, str], RoleSummary | None]:
    """Open the inputs that the run would read, as the run does.

    Returns:
        ({input: error message} of the inputs that the run would not score; the columns of the newest input, or else of
        the archive, None if unknown).
    """
    failed, options, opened = dict[str, str](), config.score_options(), list[tuple[InputFile, Dataset]]()
    for file in files:
        try:
            opened.append((file, open_input(file, options, output)))
        except DataError as error:
            failed[file.name] = str(error)
        except HoldsNoDialogue:
            continue
    if opened:
        _check_settings(config, [file for file, _ in opened])
        return failed, roles_of_dataset(opened[-1][1], options, output.run())
    with contextlib.suppress(EmojobError):  # there is no archive yet
        return failed, roles_of_archive(config.archive, options)
    return failed, None


def _check_settings(config: NightlyConfig, files: list[InputFile]) -> None:
    """Check the model, the columns and the settings of the archive, as the run does. Raises the errors of the run."""
    options, model = config.score_options(), config.model_options()
    if model.engine == "ray":  # a check starts no cluster
        return
    with (
        contextlib.suppress(DataError),  # the run then scores each input separately
        prepare(files, config.archive, options, model, writes=False, recognizes_moved=False),
    ):
        pass


def _inputs(config: NightlyConfig, day: Day, note: Callable[[str], None]) -> Found:
    """Return the result of `files_of`, after a check that the run would overwrite no file of the user."""
    found = files_of(config, day)
    check_night_files(config, {path_name(file.path) for file in found.days})
    for line in passed_over_note(found.passed_over):
        note(line)
    return found


# -- moved inputs ------------------------------------------------------------------------------------------------------


def _recognized(
    config: NightlyConfig, found: Mapping[InputFile, Day], output: ArchiveFolder
) -> tuple[Calendar, Seen, dict[str, str]]:
    """Return (calendar, recorded days, {name in the archive: name now} of the moved inputs). Nothing is changed.

    Args:
        config: The configuration.
        found: The files of the run and their days.
        output: The archive. Afterwards, its completion markers are read.
    """
    days = {file.name: day for file, day in found.items()}
    earlier = earlier_names(config.archive, days)
    seen = read_seen(config.archive, [*days, *earlier.values()])
    calendar, has_date = Calendar(config, seen), config.input.has_date

    def may_be(before: str, now: str) -> bool:
        day = calendar.day_of(before) if has_date else None
        return day is None or day == days[now]

    output.read_markers(days)
    moved = find_moved(config.archive, output.markers, inputs_of_files(found), may_be)
    seen.rename(moved)
    seen.rename({before: now for now, before in earlier.items() if before not in days})  # files without rows
    for name, day in days.items():
        calendar.see(name, day)
    return calendar, seen, moved


def _keep_rows(
    config: NightlyConfig, moved: Mapping[str, str], output: ArchiveFolder, note: Callable[[str], None]
) -> None:
    """Give the rows of moved inputs the new names of the inputs."""
    if moved:
        with open_output(config.archive, note) as locked:
            change_moved(locked, moved)
        output.read_markers()
    for line in moved_notes(moved):
        note(line)


# -- scoring -----------------------------------------------------------------------------------------------------------


class _Scoring:
    """Scores the inputs of a nightly run. Inputs that cannot be read are skipped."""

    def __init__(
        self,
        config: NightlyConfig,
        night: Night,
        report: Callable[[Progress], None],
        note: Callable[[str], None],
        stages: Stages,
        calendar: Calendar,
    ) -> None:
        self._options, self._model = config.score_options(), config.model_options()
        self._archive, self._night = config.archive, night
        self._report, self._note, self._stages, self._calendar = report, note, stages, calendar

    def run(self, files: list[InputFile]) -> None:
        """Score all inputs together. If an input is wrong, find and skip the wrong inputs:

        1. Open each input separately. Skip the inputs that cannot be opened. Score all other inputs together.
        2. If step 1 raises DataError, score each input separately. Skip the inputs that cannot be scored. Then
           score all other inputs together.
        """
        for probe in (self._open, self._score_alone):  # opening comes first: opening is fast and finds most errors
            if not files:
                return
            try:
                self._score(files)
                return
            except DataError:
                files = [file for file in files if self._is_readable(file, probe)]
            except OutputError:  # the archive needs other settings, unless single inputs have other columns
                readable = [file for file in files if self._is_readable(file, probe)]
                if len(readable) == len(files):
                    raise
                files = readable
        if files and self._night.failed:  # run.json describes only the last run, so score all files in one run
            self._score(files)

    def _is_readable(self, file: InputFile, probe: Callable[[InputFile], None]) -> bool:
        try:
            probe(file)
        except HoldsNoDialogue:
            return False
        except DataError as error:
            self._night.failed[file.name] = in_settings(str(error))
            return False
        return True

    def _open(self, file: InputFile) -> None:
        archive = ArchiveFolder(self._archive)
        archive.read_markers([file.name])
        open_input(file, self._options, archive)

    def _score_alone(self, file: InputFile) -> None:
        self._open(file)
        self._score([file])

    def _score(self, files: list[InputFile]) -> None:
        score_dataset(
            files,
            self._archive,
            self._options,
            self._model,
            self._report,
            self._note,
            self._stages,
            grows=True,
            day_of=self._calendar.day_of,
        )


def _rows_by_input(output: ArchiveFolder) -> dict[str, tuple[str, int]]:
    """Return {input: (SHA-256 of the content, number of rows read)}."""
    found: dict[str, tuple[str, int]] = {}
    for marker in output.markers:
        _, rows = found.get(marker.input, ("", 0))
        found[marker.input] = marker.input_sha256, rows + marker.counts.read
    return found


def _add_scored(night: Night, output: ArchiveFolder, before: dict[str, tuple[str, int]], calendar: Calendar) -> None:
    """Set `night.scored` and `night.rejected`. `before` is the result of `_rows_by_input` before the scoring."""
    after = _rows_by_input(output)
    for name, (content, rows) in sorted(after.items()):
        content_before, rows_before = before.get(name, (content, 0))
        if content == content_before and rows == rows_before:
            continue
        own = calendar.day_of(name) or night.day
        was = "changed" if content != content_before else "late" if before and own < night.day else "new"
        night.scored.append(Scored(name, own, rows if was == "changed" else rows - rows_before, was))
    scored = {one.input for one in night.scored}
    night.rejected = sum(marker.counts.rejected for marker in output.markers if marker.input in scored)


def _new_night(config: NightlyConfig, day: Day, inputs: int, failed: dict[str, str]) -> Night:
    failed = {name: in_settings(error) for name, error in failed.items()}
    return Night(day, inputs, failed=failed, language=config.output.language)


def _judge(
    night: Night,
    output: ArchiveFolder,
    before: dict[str, tuple[str, int]],
    config: NightlyConfig,
    found: Found,
    calendar: Calendar,
) -> None:
    """Set `scored`, `rejected`, `unlabelled`, `problems` and `missing`. See `_add_scored` for `before`."""
    _add_scored(night, output, before, calendar)
    names = {one.input for one in night.scored}
    markers = [one for one in output.markers if one.input in names or calendar.day_of(one.input) == night.day]
    night.unlabelled = unlabelled_inputs(config.archive, markers)
    rows = sum(one.rows for one in night.scored)
    night.problems = problems(
        night.rejected, rows, config.score.options, night.unlabelled, config.archive, "score.max_rejects"
    )
    night.missing = missing_files(config, night.day, found, _days_with_rows(output, calendar))


def _days_with_rows(output: ArchiveFolder, calendar: Calendar) -> list[Day]:
    return [day for day, counts in calendar.counts(output.markers).items() if counts.written]


# -- checks before the run -------------------------------------------------------------------------------------------


def _check(config: NightlyConfig) -> None:
    """Check the configuration and the archive folder. Raises the same errors as `plan_night`."""
    keep, back = config.output.keep_days, config.input.days_back
    if keep and config.input.has_date and keep <= back:
        raise OptionError(
            f"output.keep_days is {keep}, but must be greater than input.days_back ({back}); "
            f"set output.keep_days to at least {back + 1}, or to 0 to keep all rows"
        )
    monitoring = {"monitoring.log": config.monitoring.log, "monitoring.prometheus": config.monitoring.prometheus}
    for monitored in monitoring.values():
        config.local_path(monitored)
    written = {"output.report": config.output.report, "output.figures": config.output.figures, **monitoring}
    for key, path in written.items():
        file = as_local(config.resolve(path or "."))
        if file and not file.parent.is_dir():
            raise OptionError(
                f"{key} is {path!r}, but the folder {file.parent} does not exist; "
                "create this folder, or give a different path"
            )
    if config.output.report:
        check_drawable()
    if zone := config.score.time_zone:
        check_zone(duckdb.connect(), zone, "score.time_zone")
    if memo := config.score_options().memo:
        memo_file.parse_memo_path(memo, "score.memo")
    with output_errors(config.archive):
        ensure_archive_or_empty(config.archive)
