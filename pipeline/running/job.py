"""What a run has before it begins: its inputs opened, its model loaded, and each checked against the other and OUT."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from emojob.pipeline.inference import memo_file
from emojob.pipeline.inference.engine import choices
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.compatibility import LabelSettings
from emojob.pipeline.output.label_columns import labelled_schema
from emojob.pipeline.privacy.policy import Privacy, privacy_of
from emojob.pipeline.reading.context import with_conversation_column
from emojob.pipeline.reading.dataset import Dataset, open_dataset
from emojob.pipeline.reading.inputs import InputFile, find_inputs, input_path
from emojob.pipeline.reading.resume import InputProgress
from emojob.pipeline.running.executor import Executor
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system import hardware
from emojob.schemas.errors import ColumnError, DataError, OptionError, OutputError
from emojob.schemas.manifest import Counts
from emojob.schemas.messages import first_of, listed
from emojob.schemas.options import ModelOptions, ScoreOptions

#: Bytes of input from which on it pays to measure which engine is fastest, and to start several processes.
LARGE = 2_000_000

_ENDINGS = re.compile(r"\.[^.]+(\.(gz|zst))?$", re.IGNORECASE)


@dataclass(frozen=True)
class Job:
    """A run that may begin.

    schema: of what it writes; standings: how far each input is in OUT; processes: that it is labelled in; memo: the
    file in which the memo is kept.
    """

    dataset: Dataset
    scorer: Scorer
    schema: pa.Schema
    privacy: Privacy
    options: ScoreOptions
    inputs_progress: list[InputProgress]
    processes: int
    memo: Path | None

    @property
    def rows(self) -> int:
        """Rows of all inputs, up to the limit; an estimate where `is_estimate` says so."""
        total = sum(
            progress.next_row if progress.complete else source.lines if source.rows is None else source.rows
            for source, progress in zip(self.dataset.sources, self.inputs_progress, strict=True)
        )
        return min(total, self.options.limit or total)

    @property
    def is_estimate(self) -> bool:
        """Whether the rows of an input are only known by the lines of a text file."""
        return any(source.rows is None for source in self.dataset.sources)

    @property
    def counts_before(self) -> Counts:
        """What complete parts hold of the inputs."""
        counts = Counts()
        for progress in self.inputs_progress:
            counts.add(progress.counts)
        return counts


def default_out(inputs: Sequence[str]) -> AnyPath:
    """INPUT-STEM.emotions beside the input. Raises DataError where there is no one file or folder to name it by."""
    find_inputs(inputs)  # what is missing altogether is told first
    path = input_path(inputs[0])
    if len(inputs) != 1 or not path.exists():
        raise DataError("several inputs, and no place for the output: give one with -o FOLDER")
    path = path.resolve()
    stem = path.name if path.is_dir() else _ENDINGS.sub("", path.name) or path.name
    return path.parent / f"{stem}.emotions"


def input_files(
    inputs: Sequence[str], out: AnyPath, options: ScoreOptions, leave_out: Sequence[AnyPath] = ()
) -> list[InputFile]:
    """The files that a run is to read. leave_out: files that are no input, wherever they lie. Raises InputError."""
    memo = [] if options.memo is None else [memo_file.parse_memo_path(options.memo)]
    return find_inputs(inputs, [out, *leave_out, *memo])


def open_job(
    files: Sequence[InputFile],
    output: ArchiveFolder,
    options: ScoreOptions,
    model_options: ModelOptions,
    where: Executor,
    note: Callable[[str], None] = lambda text: None,
) -> Job:
    """Open what a run needs; nothing is written but what is kept of a model (`pipeline.inference.artifact_cache`).

    output: with its markers read; where: the job is done. Raises InputError for what the user can mend.
    """
    memo = None if options.memo is None else memo_file.parse_memo_path(options.memo)
    is_large = sum(file.size for file in files) >= LARGE
    if model_options.engine == "ray":
        model_options = replace(model_options, engine="auto")  # on each node
    if not options.fresh:
        model_options = _as_begun(model_options, output.run())
    scorer = where.load(model_options, is_large, note)  # before the long look at every file
    dataset = open_dataset(files, options.text_column, options.encoding, where.inspect)
    dataset = with_conversation_column(dataset, scorer.options.context, options.conversation_column)
    options = replace(options, conversation_column=dataset.conversation_column or options.conversation_column)
    _check_columns(dataset, options)
    privacy = privacy_of(options, dataset)
    schema = labelled_schema(privacy.schema(dataset.schema), scorer.model.labels, options.prefix)
    if not options.fresh:
        settings = LabelSettings(
            scorer.fingerprint,
            scorer.model.name,
            scorer.model.labels,
            dataset.text_column,
            dataset.conversation_column,
            options.prefix,
            privacy.as_json(),
        )
        output.ensure_compatible(settings)
    inputs_progress = output.inputs_progress(dataset.sources, options.fresh)
    return Job(
        dataset, scorer, schema, privacy, options, inputs_progress, where.processes(scorer.choice, is_large), memo
    )


def _as_begun(options: ModelOptions, before: dict[str, Any]) -> ModelOptions:
    """The options with `auto` settled as in a run that was cut off: its rest is to come out as its beginning did.

    before: its run.json.
    """
    begun = before.get("engine")
    if before.get("state") not in ("running", "interrupted", "failed") or not isinstance(begun, dict):
        return options
    settled = {name: begun.get(name) for name in ("device", "engine", "precision") if getattr(options, name) == "auto"}
    try:
        same = replace(options, **{name: str(value) for name, value in settled.items()})  # type: ignore[arg-type]
        choices(same, hardware.detect())
    except OptionError:  # what it ran on is here no more
        return options
    return same


def encodings(dataset: Dataset) -> list[str]:
    """Lines that say which encodings were found."""
    files: dict[str, list[str]] = {}
    for source in dataset.sources:
        if source.encoding:
            files.setdefault(source.encoding, []).append(source.file.path.name)
    return [f"{first_of(names)}: {encoding}" for encoding, names in files.items()]


def others(output: ArchiveFolder, dataset: Dataset) -> list[str]:
    """A line that says that OUT holds rows of inputs that are not given now."""
    names = {marker.input for marker in output.markers} - {source.file.name for source in dataset.sources}
    if not names:
        return []
    rows = sum(marker.counts.read for marker in output.markers if marker.input in names)
    return [f"{output.folder} also holds {rows:,} rows of inputs not given now: {listed(sorted(names))}"]


def _check_columns(dataset: Dataset, options: ScoreOptions) -> None:
    for role in ("conversation", "time", "speaker"):
        name = getattr(options, f"{role}_column")
        if name is not None and name not in dataset.schema.names:
            raise ColumnError(
                f"--{role}-column {name} is no column of the input; it has {listed(dataset.schema.names)}"
            )


def check_default_out(output: ArchiveFolder, given: str, dataset: Dataset) -> None:
    """Refuse to put an input's labels to those of another that happens to have the same stem."""
    folder = f"{input_path(given).resolve()}/"
    names = {source.file.name for source in dataset.sources}
    strangers = sorted({m.input for m in output.markers if m.input not in names and not m.input.startswith(folder)})
    if strangers:
        raise OutputError(
            f"{output.folder} holds the labels of {first_of(strangers)}, not of {given}: give another place with -o"
        )
