"""Runs the nightly job: scores new and changed inputs, removes old rows, checks for drift, and writes the report."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from emojob.pipeline.nightly.calendar import Calendar, Day, Found, Seen, files_of
from emojob.pipeline.nightly.clock import would_empty
from emojob.pipeline.nightly.config import NightlyConfig, errors_in_settings, in_settings
from emojob.pipeline.nightly.missing import missing_files
from emojob.pipeline.nightly.night_files import HoldsNoDialogue, check_night_files, check_settings, open_input
from emojob.pipeline.nightly.night_report import report_night
from emojob.pipeline.nightly.outcome import Night, Plan, Scored
from emojob.pipeline.nightly.retention import remove_old_rows, take_outdated
from emojob.pipeline.nightly.state import night_lock, read_seen, still_needed, write_seen, write_state
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
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
from emojob.pipeline.storage.paths import output_errors, path_name
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.errors import DataError, EmojobError, OutputError
from emojob.schemas.messages import first_of, listed


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
    check_settings(config)
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
        _Scoring(config, night, calendar, report, note, stages).run(files)
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

    The plan opens the inputs, the model and the archive like the run. It lists an input as "changed" in two cases:

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
    check_settings(config)
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
    night, known = _new_night(config, day, len(found), inputs.failed), {*itertools.chain(*states.values())}
    trial = _Trial(config, night, calendar)
    trial.run([file for file in found if file.name in known])
    states = {state: [name for name in names if name not in trial.passed_over] for state, names in states.items()}
    roles = _roles(config, {file.name for file in waiting}, trial.dataset, output)
    notes = [in_settings(note) for note in [*notes, *trial.notes]]
    return Plan(day, states, old_rows, night.failed, notes, missing, roles, config.output.language)


def _roles(
    config: NightlyConfig, waiting: Collection[str], dataset: Dataset | None, output: ArchiveFolder
) -> RoleSummary | None:
    """Return the columns that the reports will use: of all inputs, then of the archive. None if unknown.

    Args:
        config: The configuration.
        waiting: Names of the inputs that would be scored. The times are a sample of these inputs.
        dataset: The inputs, opened as one table; None if no input can be read.
        output: The archive.
    """
    options, found = config.score_options(), list[RoleSummary]()
    sources = [source for source in dataset.sources if source.file.name in waiting] if dataset else []
    if dataset and sources:
        found.append(roles_of_dataset(replace(dataset, sources=sources), options, output.run()))
    if not found or None in found[0].columns.values():
        with contextlib.suppress(EmojobError):  # there is no archive yet
            found.append(roles_of_archive(config.archive, options))
    return functools.reduce(RoleSummary.completed, found) if found else None


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
        calendar: Calendar,
        report: Callable[[Progress], None] = lambda progress: None,
        note: Callable[[str], None] = lambda text: None,
        stages: Stages | None = None,
    ) -> None:
        self._options, self._model = config.score_options(), config.model_options()
        self._archive, self._night, self._calendar = config.archive, night, calendar
        self._report, self._note, self._stages = report, note, stages or Stages()
        self._text_columns: dict[str, str] = {}

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
                files = self._readable(files, probe)
            except OutputError:  # the archive needs other settings, unless single inputs have other columns
                readable = self._readable(files, probe)
                if len(readable) == len(files):
                    raise
                files = readable
        if files and self._night.failed:  # run.json describes only the last run, so score all files in one run
            self._score(files)

    def _readable(self, files: list[InputFile], probe: Callable[[InputFile], None]) -> list[InputFile]:
        """Return the files that can be read and have the same text column as most files. The others have failed."""
        files = [file for file in files if self._is_readable(file, probe)]
        columns = [self._text_columns[file.name] for file in files]
        usual = max(dict.fromkeys(columns), key=columns.count, default="")
        like = [file.short_name for file, column in zip(files, columns, strict=True) if column == usual]
        for file, column in zip(files, columns, strict=True):
            if column != usual:  # only without an archive, whose text column decides
                self._night.failed[file.name] = (
                    f"{file.name} has the text column {listed([column])}, but the text column of {first_of(like)} is "
                    f"{listed([usual])}: rename the column to {listed([usual])} in this file"
                )
        return [file for file, column in zip(files, columns, strict=True) if column == usual]

    def _is_readable(self, file: InputFile, probe: Callable[[InputFile], None]) -> bool:
        try:
            probe(file)
        except HoldsNoDialogue:
            self._pass_over(file)
            return False
        except DataError as error:
            self._night.failed[file.name] = in_settings(str(error))
            return False
        return True

    def _pass_over(self, file: InputFile) -> None:
        """Called with each input that is opened separately and holds no dialogue."""

    def _open(self, file: InputFile) -> None:
        archive = ArchiveFolder(self._archive)
        archive.read_markers([file.name])
        self._text_columns[file.name] = open_input(file, self._options, archive).text_column

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


class _Trial(_Scoring):
    """Opens the inputs, the model and the archive like a nightly run. Nothing is written.

    Attributes:
        dataset: The inputs, opened as one table; None if no input can be read.
        passed_over: Names of the inputs that hold no dialogue.
        notes: Messages about the inputs that hold no dialogue.
    """

    dataset: Dataset | None = None

    def run(self, files: list[InputFile]) -> None:
        """Open all inputs together. If an input is wrong, find the wrong inputs. See `_Scoring.run`."""
        self.passed_over: set[str] = set()
        self.notes: list[str] = []
        super().run(files)

    def _pass_over(self, file: InputFile) -> None:
        self.passed_over.add(file.name)

    def _score(self, files: list[InputFile]) -> None:
        model = self._model
        if model.engine == "ray" and hardware.is_installed("ray"):  # a check starts no cluster
            model = replace(model, engine="auto")
        with prepare(files, self._archive, self._options, model, writes=False, recognizes_moved=False) as prepared:
            self.dataset = prepared.opened.dataset
        kept = {source.file.name for source in self.dataset.sources}
        self.passed_over |= {file.name for file in files} - kept
        self.notes = passed_over_note(self.dataset.passed_over)


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
