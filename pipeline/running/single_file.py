"""Where labelled rows go: a folder of parts, or one Parquet file made from them."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.inference.scoring_model import resolve_options
from emojob.pipeline.models.model import load as load_model
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.compatibility import ensure_same_privacy
from emojob.pipeline.output.layout import (
    DONE_FILE,
    LOCK_FILE,
    REJECTS_FILE,
    is_single_file,
    rejects_beside,
    work_folder,
)
from emojob.pipeline.output.parts import ROW_GROUP, row_groups
from emojob.pipeline.privacy.policy import privacy_of
from emojob.pipeline.reading.context import with_conversation_column
from emojob.pipeline.reading.dataset import open_dataset
from emojob.pipeline.reading.inputs import find_inputs, input_path
from emojob.pipeline.running.run import Progress, Result, score_archive
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, output_errors, remove_all, seekable
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import OUT_FORMAT, Counts
from emojob.schemas.messages import listed
from emojob.schemas.options import ModelOptions, ScoreOptions


def score_to(
    inputs: Sequence[str],
    out: AnyPath | None,
    options: ScoreOptions,
    model: ModelOptions,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
) -> Result:
    """Label an archive into a folder or, where `out` ends in .parquet, into that one file.

    Raises what `pipeline.running.run.score_archive` raises.
    """
    if out is None:
        return score_archive(inputs, out, options, model, report, note, stages)
    with output_errors(out):
        if is_single_file(out):
            return _score_to_file(inputs, out.resolve(), options, model, report, note, stages)
        return score_archive(inputs, out, options, model, report, note, stages)


def _score_to_file(
    inputs: Sequence[str],
    file: AnyPath,
    options: ScoreOptions,
    model: ModelOptions,
    report: Callable[[Progress], None],
    note: Callable[[str], None],
    stages: Stages | None,
) -> Result:
    """Label into a hidden folder beside the file, from which an interrupted run goes on, then join its parts."""
    work, rejects = work_folder(file), rejects_beside(file)
    earlier = check_one_file(file, inputs)
    if isinstance(work, Path):
        shutil.rmtree(_done_with(work), ignore_errors=True)  # of a run that was killed as it removed it
    elif (work / DONE_FILE).exists():
        with open_output(work):
            _remove(work)
    result = still_complete(file, earlier, inputs, options, model)
    if result is not None:
        return result

    def join(result: Result, schema: pa.Schema, output: ArchiveFolder) -> Result:
        output.ensure_lock_held()
        _join(work, file, result, schema)
        if result.counts.rejected:
            atomic.write_bytes(rejects, (work / REJECTS_FILE).read_bytes())
        else:
            rejects.unlink(missing_ok=True)
        output.ensure_lock_held()
        _remove(work)
        return replace(result, out=file)

    return score_archive(inputs, work, options, model, report, note, stages, [file, rejects], join)


def _remove(work: AnyPath) -> None:
    """Remove the folder of parts that are in the file now; a kill in the middle leaves nothing like a beginning."""
    if isinstance(work, ObjectPath):
        mark = work / DONE_FILE
        mark.write_bytes(b"")
        remove_all([place for place in work.list_objects() if place not in (mark, work / LOCK_FILE)])
        mark.unlink()
        return
    done = _done_with(work)
    shutil.rmtree(done, ignore_errors=True)
    work.rename(done)
    shutil.rmtree(done)


def _done_with(work: Path) -> Path:
    """What the folder of parts is called while it is removed."""
    return work.with_name(f"{work.name}.done")


def check_one_file(file: AnyPath, inputs: Sequence[str]) -> dict[str, Any] | None:
    """The run.json that a labelled file carries; None where there is no file. Raises OutputError for another's file."""
    rejects = rejects_beside(file)
    if file in {input_path(one).resolve() for one in inputs}:
        raise OutputError(f"-o {file} is an input itself: give another name")
    if rejects.exists() and not _has_columns(rejects, REJECTS.names):
        raise OutputError(f"{rejects}, where unreadable rows would go, was not written by emojob: give -o another name")
    return _run_of(file)


def _run_of(file: AnyPath) -> dict[str, Any] | None:
    """The run.json that a labelled file carries; None where there is no file. Raises OutputError for another's file."""
    if not file.exists():
        return None
    try:
        about = json.loads((pq.read_schema(seekable(file)).metadata or {})[b"emojob"])
        run = about["run"]
        known = {key: run[key] for key in ("model", "inputs", "text_column", "prefix", "options")}
        if about["format"] > OUT_FORMAT:
            raise OutputError(f"-o {file} was written by a newer emojob (format {about['format']}): use that version")
        known["privacy"] = run.get("privacy")
        known["conversation_column"] = run.get("conversation_column")  # not in what earlier versions wrote
        known |= {"counts": Counts.from_json(run["all_counts"]), "fingerprint": run["model"]["fingerprint"], "run": run}
        known |= {"files": [(one["name"], one["bytes"], one["sha256"], one["encoding"]) for one in run["inputs"]]}
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError, OSError, pa.ArrowException) as error:
        if isinstance(file, ObjectPath) and isinstance(error, OSError) and error.filename:
            raise
        raise OutputError(f"-o {file} is there already and was not written by emojob: give another name") from None
    return known


def _has_columns(file: AnyPath, names: list[str]) -> bool:
    with contextlib.suppress(pa.ArrowException):
        return list(pq.read_schema(seekable(file)).names) == names
    return False


def still_complete(
    file: AnyPath, earlier: dict[str, Any] | None, inputs: Sequence[str], options: ScoreOptions, model: ModelOptions
) -> Result | None:
    """The earlier result, where the same inputs and options would only give it again; None where there is work to do.

    Raises OutputError where the file holds something else than what is asked for now.
    """
    if earlier is None or options.fresh or work_folder(file).exists():
        return None
    begun = time.monotonic()
    loaded = load_model(model.model)
    context = resolve_options(model, loaded).context
    dataset = open_dataset(find_inputs(inputs, [file, rejects_beside(file)]), options.text_column, options.encoding)
    dataset = with_conversation_column(dataset, context, options.conversation_column)
    now = {
        "model": loaded.fingerprint_for(model.max_length),
        "text column": dataset.text_column,
        "conversation column": dataset.conversation_column,
        "prefix": options.prefix,
        "inputs": [source.file.name for source in dataset.sources],
    }
    then = {
        "model": earlier["fingerprint"],
        "text column": earlier["text_column"],
        "conversation column": earlier["conversation_column"],
        "prefix": earlier["prefix"],
        "inputs": [name for name, *_ in earlier["files"]],
    }
    for what, value in now.items():
        if value != then[what]:
            raise OutputError(
                f"-o {file} was made with another {what} ({_shown(then[what])}) than this one ({_shown(value)}): "
                f"give another name, or --fresh to make it anew"
            )
    ensure_same_privacy(f"-o {file}", privacy_of(options, dataset).as_json(), earlier["privacy"])
    files = [(s.file.name, s.size, s.sha256, s.encoding) for s in dataset.sources]
    if files != earlier["files"] or options.limit != earlier["options"].get("limit"):
        return None
    counts = earlier["counts"]
    return Result(file, counts, counts.read, time.monotonic() - begun, earlier["run"])


def _shown(value: object) -> str:
    return listed(value) if isinstance(value, list) else repr(value)


def _join(work: AnyPath, file: AnyPath, result: Result, schema: pa.Schema) -> None:
    """Make one file of the parts of this run's inputs, in the inputs' order."""
    output = ArchiveFolder(work)
    output.read_markers()
    order = {one["name"]: i for i, one in enumerate(result.run["inputs"])}
    markers = sorted((m for m in output.markers if m.input in order), key=lambda m: (order[m.input], m.first_row))
    run = {**result.run, "all_counts": result.counts.as_json()}
    about = json.dumps(
        {"format": OUT_FORMAT, "fingerprint": run["model"]["fingerprint"], "run": run}, ensure_ascii=False
    )
    schema = schema.with_metadata({**(schema.metadata or {}), b"emojob": about.encode()})
    with (
        atomic.draft(file) as draft,
        pq.ParquetWriter(draft.sink, schema, compression="zstd", version="2.6") as writer,
    ):
        for marker in markers:
            for table in row_groups(work / marker.part):
                writer.write_table(_aligned(table, schema), row_group_size=ROW_GROUP)


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A part's rows with the columns of the whole: a part made before an input with more columns joined lacks some."""
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.schema.names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
