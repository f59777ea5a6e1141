"""Prepares a run: opens the inputs, the model and OUT."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from emojob.pipeline.inference import memo_file
from emojob.pipeline.inference.engine_choice import choices
from emojob.pipeline.inference.scoring_model import resolve_options
from emojob.pipeline.models import model as models
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.compatibility import LabelSettings, ensure_archive_or_empty
from emojob.pipeline.output.derived.replacing import check_not_of_archive
from emojob.pipeline.output.label_columns import labelled_schema
from emojob.pipeline.output.layout import rejects_beside, work_folder
from emojob.pipeline.output.run_json import next_attempt
from emojob.pipeline.privacy.policy import Privacy, privacy_of
from emojob.pipeline.reading.binary_text import binary_text_note
from emojob.pipeline.reading.context import with_conversation_column
from emojob.pipeline.reading.dataset import Dataset, first_texts_note, open_dataset
from emojob.pipeline.reading.files.input_file import InputFile, PassedOver
from emojob.pipeline.reading.inputs import find_inputs, input_path
from emojob.pipeline.reading.selection import passed_over_note, reading_notes, same_chats_notes, same_contents_notes
from emojob.pipeline.running import roles, single_file
from emojob.pipeline.running.executor import Executor
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.local import LocalExecutor
from emojob.pipeline.running.moved_inputs import (
    change_moved,
    find_moved,
    held_notes,
    inputs_of_sources,
    is_gone,
    moved_notes,
)
from emojob.pipeline.storage.paths import AnyPath, output_errors
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.system import hardware
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import PAIR_MARK, LabelColumns, split_times
from emojob.schemas.errors import ColumnError, DataError, OptionError, OutputError
from emojob.schemas.messages import first_of, listed
from emojob.schemas.options import ModelOptions, ScoreOptions

#: Minimum size of a large job in bytes. For a large job, emojob measures the speed of the engines, and may use several
#: processes.
LARGE = 2_000_000

# Endings of data files that a run does not write.
_OTHER_FILE = re.compile(
    r"\.(?:csv|tsv|txt|json|jsonl|ndjson|xlsx?|arrow|feather|duckdb|db|sqlite|html|zip|pq)(?:\.(?:gz|zst|bz2|xz))?$",
    re.IGNORECASE,
)
_ENDINGS = re.compile(r"\.[^.]+(\.(gz|zst))?$", re.IGNORECASE)

Note = Callable[[str], None]


@dataclass(frozen=True)
class Opened:
    """The opened inputs and the loaded model of a run.

    Attributes:
        dataset: The opened inputs.
        model: The loaded model.
        schema: Schema of the part files.
        privacy: Privacy options: what is masked, dropped or hashed.
        options: Options of the run, with the conversation column that emojob found.
        model_options: Options of the model, with the context of the model.
        is_large: Whether the inputs have at least LARGE bytes in total.
    """

    dataset: Dataset
    model: models.Model
    schema: pa.Schema
    privacy: Privacy
    options: ScoreOptions
    model_options: ModelOptions
    is_large: bool

    @property
    def fingerprint(self) -> str:
        """Hash of the weights, tokenizer, labels, maximum length and context."""
        return self.model.fingerprint_for(self.model_options.max_length)


@dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to start. OUT is locked until the `with` block of `prepare` ends.

    Attributes:
        out: Path of the output: a folder, or a file X.parquet.
        output: Folder of the part files: OUT, or a hidden folder next to X.parquet.
        opened: The inputs and the model.
        executor: The executor, which is not started yet.
        memo: Path of the memo file (cached probabilities of repeated texts); None without --memo.
        complete: Settings and counts of an existing X.parquet that is already complete; otherwise None.
        begun: `time.monotonic()` when the preparation started.
        role_notes: Messages for the user about time, conversation and speaker columns that differ from the run before.
        moved: {name in OUT before: name in this run} of the inputs that were moved.
    """

    out: AnyPath
    output: ArchiveFolder
    opened: Opened
    executor: Executor
    memo: Path | None
    complete: single_file.Earlier | None
    begun: float
    role_notes: list[str]
    moved: dict[str, str]

    def start(self, note: Note = lambda text: None) -> Job:
        """Start the engine, and find the rows that are missing in OUT. Raises the same errors as `Executor.start`."""
        opened, options = self.opened, self.opened.model_options
        if options.engine == "ray":
            options = replace(options, engine="auto")  # a worker of the cluster chooses openvino or torch
        before = self.output.run()
        if not opened.options.fresh:
            options = _as_interrupted_run(options, before)
        model = self.executor.start(opened.model, options, opened.is_large, note)
        progress = self.output.inputs_progress(opened.dataset.sources, opened.options.fresh)
        processes = self.executor.processes(model.choice, opened.is_large)
        return Job(
            opened.dataset, model, opened.schema, opened.privacy, opened.options, progress, processes, self.memo,
            uuid.uuid4().hex, next_attempt(before),
        )  # fmt: skip

    def notes(self, grows: bool = False) -> list[str]:
        """Return messages for the user: encodings, binary texts, changed columns, and rows of other inputs in OUT.

        Args:
            grows: Whether OUT grows with each run (nightly runs). If true, there is no warning.
        """
        others = [] if grows else _other_inputs(self.output, self.opened.dataset)
        dataset = self.opened.dataset
        texts = binary_text_note((source.schema for source in dataset.sources), dataset.schema)
        files = [
            *passed_over_note(dataset.passed_over),
            *same_contents_notes(dataset.sources),
            *same_chats_notes(dataset.sources),
            *moved_notes(self.moved),
            *held_notes(self.output.markers, inputs_of_sources(dataset.sources)),
            *_encodings(dataset),
            *reading_notes(dataset.sources),
            *filter(None, [first_texts_note(dataset)]),
        ]
        return [*self.opened.model.notes, *files, *texts, *self.role_notes, *others]


@contextlib.contextmanager
def prepare(
    inputs: Sequence[str | InputFile],
    out: AnyPath | None,
    options: ScoreOptions,
    model_options: ModelOptions,
    writes: bool = True,
    note: Note = lambda text: None,
    recognizes_moved: bool = True,
) -> Iterator[PreparedRun]:
    """Open the inputs, the model and OUT, and lock OUT. Each input file is inspected only once.

    Args:
        inputs: Files, folders, globs or URLs; or files that `find_inputs` returned. Then `out` is required.
        out: A folder or a file X.parquet. None: INPUT-STEM.emotions next to the input.
        options: Options for reading and writing.
        model_options: Options of the model and its engine.
        writes: Whether the run writes to OUT. A dry run (False) neither changes nor locks OUT.
        note: callback(message), called with each message for the user.
        recognizes_moved: Whether inputs that were moved get their new names in OUT.

    Raises:
        InputError: An input, an option, the model or OUT is wrong.
        StorageError: OUT cannot be written.
        BusyError: Another run has locked OUT.
    """
    begun = time.monotonic()
    path = _with_right_ending((out or default_out(_names(inputs))).resolve())
    with contextlib.ExitStack() as stack:
        stack.enter_context(output_errors(path))
        folder = work_folder(path)
        check_not_of_archive("-o", path)
        memo = _memo_of(options)
        options = replace(options, memo=None if memo is None else str(memo))  # run.json has the absolute path
        outputs = {folder, path, rejects_beside(path)} if folder != path else {path}
        passed_over: list[PassedOver] = []
        files = find_inputs(inputs, [*outputs, *([memo] if memo else [])], options.format, passed_over)
        if writes:
            stack.enter_context(limit_permissions(file.path for file in files))
        earlier = _earlier(path, folder, _names(inputs), options, writes, note)
        output = None if earlier else stack.enter_context(_open_folder(folder, writes, note, folder != path))
        executor = stack.enter_context(open_executor(options, model_options))
        opened = _open(files, passed_over, options, model_options, executor)
        complete = earlier if earlier and _is_unchanged(path, earlier, opened) else None
        if output is None:
            output = stack.enter_context(_open_folder(folder, writes and complete is None, note, folder != path))
        moved = _check_against(output, opened, _names(inputs)[0] if out is None else None, recognizes_moved, writes)
        before = {} if options.fresh else earlier.run if earlier else output.run()
        notes = roles.role_notes(before, opened.options, opened.dataset.schema.names)
        opened = replace(opened, options=roles.with_earlier_roles(opened.options, before))
        yield PreparedRun(path, output, opened, executor, memo, complete, begun, notes, moved)


def _memo_of(options: ScoreOptions) -> Path | None:
    memo = None if options.memo is None else memo_file.parse_memo_path(options.memo)
    if memo:
        check_not_of_archive("--memo", memo)
    return memo


def _with_right_ending(path: AnyPath) -> AnyPath:
    """Return OUT. Raise OptionError if OUT has the ending of a data file that emojob does not write, such as .csv."""
    ending = _OTHER_FILE.search(path.name)
    if not ending or path.exists():
        return path
    folder = f"{path.name.removesuffix(ending[0]) or 'out'}.emotions"
    later = f'; then `emojob sql {folder} "FROM labelled" -o {path.name}` writes the rows to {path.name}'
    raise OptionError(
        f"-o {path.name}: emojob score writes Parquet, not {ending[0]}: give a folder, such as -o {folder}, or a file "
        f"that ends in .parquet{later if ending[0].lower() in ('.csv', '.json') else ''}"
    )


def _names(inputs: Sequence[str | InputFile]) -> list[str]:
    return [one.name if isinstance(one, InputFile) else one for one in inputs]


def default_out(inputs: Sequence[str]) -> AnyPath:
    """Return INPUT-STEM.emotions next to the input. Raises DataError if there is more than one input."""
    if len(inputs) == 1:
        path = input_path(inputs[0])
        with contextlib.suppress(OSError):  # no error here, because find_inputs reports unreadable inputs
            if path.exists():
                path = path.resolve()
                stem = path.name if path.is_dir() else _ENDINGS.sub("", path.name) or path.name
                return path.parent / f"{stem}.emotions"
    find_inputs(inputs)  # raises an error if an input is missing
    raise DataError("with several inputs, -o is required: give -o FOLDER or -o X.parquet")


@contextlib.contextmanager
def open_executor(options: ScoreOptions, model_options: ModelOptions) -> Iterator[Executor]:
    """Open the executor for the options. Raises OptionError if Ray is required but cannot be used."""
    if model_options.engine != "ray":
        yield LocalExecutor()
        return
    if not hardware.is_installed("ray"):
        raise OptionError("--engine ray needs the package ray: run pip install 'emojob[ray]'")
    from emojob.pipeline.running.ray.environment import set_ray_environment

    set_ray_environment()
    from emojob.pipeline.running.ray.ray_executor import open_ray_executor

    with open_ray_executor(options.ray_address, options.ray_cores) as executor:
        yield executor


@contextlib.contextmanager
def _open_folder(folder: AnyPath, writes: bool, note: Note, is_work_folder: bool) -> Iterator[ArchiveFolder]:
    if writes:
        with open_output(folder, note, is_work_folder) as output:
            yield output
        return
    ensure_archive_or_empty(folder)
    output = ArchiveFolder(folder)
    output.read_markers()
    yield output


def _open(
    files: Sequence[InputFile],
    passed_over: Sequence[PassedOver],
    options: ScoreOptions,
    model_options: ModelOptions,
    executor: Executor,
) -> Opened:
    executor.check(model_options)
    model = models.load(model_options.model, threshold=model_options.threshold)  # load the model first, to fail early
    model_options = resolve_options(model_options, model)
    times = options.time_column.split(PAIR_MARK) if options.time_column else ()
    roles_of = (options.conversation_column, options.time_column, *times, options.speaker_column)
    given = [name for name in roles_of if name is not None]
    dataset = open_dataset(files, options, executor.inspect, given)
    dataset = replace(dataset, passed_over=[*passed_over, *dataset.passed_over])
    dataset = with_conversation_column(dataset, model_options.context, options.conversation_column)
    options = replace(options, conversation_column=dataset.conversation_column or options.conversation_column)
    _check_columns(dataset, options)
    privacy = privacy_of(options, dataset)
    columns = LabelColumns(model.labels, options.prefix, model.is_multi)
    schema = labelled_schema(privacy.schema(dataset.schema), columns)
    is_large = sum(source.size for source in dataset.sources) >= LARGE
    return Opened(dataset, model, schema, privacy, options, model_options, is_large)


def _earlier(
    path: AnyPath, folder: AnyPath, inputs: Sequence[str], options: ScoreOptions, writes: bool, note: Note
) -> single_file.Earlier | None:
    """Return the settings and counts of an existing X.parquet if this run could keep the file, otherwise None.

    The result is None in these cases:
    - OUT is a folder.
    - X.parquet does not exist.
    - `--fresh` is given.
    - An interrupted run left part files in the hidden folder.
    """
    if folder == path:
        return None
    earlier = single_file.read_earlier(path, inputs)
    if writes:
        single_file.finish_removal(folder, note)
    return None if options.fresh or single_file.holds_parts(folder) else earlier


def _is_unchanged(path: AnyPath, earlier: single_file.Earlier, opened: Opened) -> bool:
    dataset, prefix = opened.dataset, opened.options.prefix
    earlier = _with_moved(earlier.recognize(source.file.name for source in dataset.sources), dataset)
    single_file.ensure_compatible(path, earlier, opened.fingerprint, dataset, prefix, opened.privacy)
    return single_file.holds_all(earlier, dataset, opened.options.limit)


def _with_moved(earlier: single_file.Earlier, dataset: Dataset) -> single_file.Earlier:
    """Return the settings of an existing X.parquet, with the new names of the inputs if all inputs were moved."""
    contents = [(s.size, s.sha256, s.encoding, s.reading_key) for s in dataset.sources]
    names, before = [s.file.name for s in dataset.sources], [name for name, *_ in earlier.files]
    same = contents == [tuple(rest) for _, *rest in earlier.files]
    if same and all(old == new or is_gone(old) for old, new in zip(before, names, strict=True)):
        return replace(earlier, files=[(name, *one) for name, one in zip(names, contents, strict=True)])
    return earlier


def _check_against(
    output: ArchiveFolder, opened: Opened, given: str | None, recognizes_moved: bool, writes: bool
) -> dict[str, str]:
    """Raise OutputError if the labels in OUT were made with other settings or from another input.

    Args:
        output: OUT.
        opened: The inputs and the model of this run.
        given: The input of the run if OUT has the default name; None if the user gave -o.
        recognizes_moved: Whether inputs that were moved get their new names in OUT.
        writes: Whether the run writes to OUT.

    Returns:
        {name in OUT before: name in this run} of the inputs that were moved.
    """
    dataset, moved = opened.dataset, dict[str, str]()
    output.recognize(source.file.name for source in dataset.sources)
    if not opened.options.fresh:
        settings = LabelSettings(
            opened.fingerprint,
            opened.model.name,
            opened.model.labels,
            dataset.text_column,
            dataset.conversation_column,
            opened.options.prefix,
            opened.privacy.as_json(),
            dataset.placeholders,
            tuple(dataset.schema.names),
        )
        output.ensure_compatible(settings)
        if recognizes_moved:
            moved = find_moved(output.folder, output.markers, inputs_of_sources(dataset.sources))
            change_moved(output, moved, writes)
        output.ensure_same_names(opened.schema, {one.file.name: one.schema.names for one in dataset.sources})
    if given is not None:
        _check_default_out(output, given, dataset)
    return moved


def _check_default_out(output: ArchiveFolder, given: str, dataset: Dataset) -> None:
    """Raise OutputError if OUT contains rows of another input than `given`. OUT has the default name for `given`."""
    folder = f"{input_path(given).resolve()}/"
    names = {source.file.name for source in dataset.sources}
    strangers = sorted({m.input for m in output.markers if m.input not in names and not m.input.startswith(folder)})
    if strangers:
        raise OutputError(
            f"{output.folder} contains the labels of {first_of(strangers)}, not of {given}: give another output with -o"
        )


def _check_columns(dataset: Dataset, options: ScoreOptions) -> None:
    given = [(f"--{role}-column", getattr(options, f"{role}_column")) for role in ("conversation", "speaker")]
    times = split_times(options.time_column, dataset.schema.names) if options.time_column else ()
    given += [("--time-column", name) for name in times]
    for option, name in [*given, *(("--as-text", name) for name in options.as_text)]:
        if name is not None and name not in dataset.schema.names:
            raise ColumnError(
                f"{option} {name}: the input has no such column; its columns are {listed_columns(dataset.schema.names)}"
            )


def _as_interrupted_run(options: ModelOptions, before: dict[str, Any]) -> ModelOptions:
    """If OUT is from an interrupted run, replace `auto` by the device, engine and precision of the interrupted run.

    Then the same engine labels all rows of OUT.

    Args:
        options: Options of this run.
        before: Contents of run.json in OUT; {} if run.json does not exist.
    """
    begun = before.get("engine")
    if before.get("state") not in ("running", "interrupted", "failed") or not isinstance(begun, dict):
        return options
    known = {name: begun.get(name) for name in ("device", "engine", "precision") if getattr(options, name) == "auto"}
    try:
        same = replace(options, **{name: str(value) for name, value in known.items()})  # type: ignore[arg-type]
        choices(same, hardware.detect())
    except OptionError:  # the earlier engine or device is no longer available
        return options
    return same


def _encodings(dataset: Dataset) -> list[str]:
    """Return one message for each detected encoding, with the names of the text files."""
    files: dict[str, list[str]] = {}
    for source in dataset.sources:
        if source.encoding:
            files.setdefault(source.encoding, []).append(source.file.short_name)
    return [f"{first_of(names)}: {encoding}" for encoding, names in files.items()]


def _other_inputs(output: ArchiveFolder, dataset: Dataset) -> list[str]:
    """Return [warning] if OUT contains rows of inputs that this run does not read, otherwise []."""
    names = {marker.input for marker in output.markers} - {source.file.name for source in dataset.sources}
    rows = sum(marker.counts.read for marker in output.markers if marker.input in names)
    return (
        [f"{output.folder} also contains {rows:,} rows of inputs that this run does not read: {listed(sorted(names))}"]
        if names
        else []
    )
