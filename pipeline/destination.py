"""Where labelled rows go: a folder of parts, or one Parquet file made from them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import atomic
from pipeline.archive import Archive, open_archive
from pipeline.inputs import find_inputs
from pipeline.model import load as load_model
from pipeline.output import Output
from pipeline.parts import ROW_GROUP
from pipeline.run import Progress, Result, default_out, score_archive, storage_error
from pipeline.stages import Stages
from schemas.errors import OutputError
from schemas.manifest import FORMAT, Counts
from schemas.options import ModelOptions, ScoreOptions


def score_to(
    inputs: Sequence[str],
    out: Path | None,
    options: ScoreOptions,
    model: ModelOptions,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
) -> Result:
    """Label an archive into a folder or, where `out` ends in .parquet, into that one file.

    Raises what `pipeline.run.score_archive` raises.
    """
    if out is None or out.suffix.lower() != ".parquet" or out.is_dir():
        return score_archive(inputs, out, options, model, report, note, stages)
    return _score_to_file(inputs, out.resolve(), options, model, report, note, stages)


def plan_archive(inputs: Sequence[str], out: Path | None, options: ScoreOptions) -> dict[str, Any]:
    """What a run would do, found without a model and without writing anything."""
    files = find_inputs(inputs, out)
    place = (out or default_out(inputs, len(files))).resolve()
    archive = open_archive(files, options.text_column, options.encoding)
    output = Output(place)
    output.read_markers()
    known = [source.rows for source in archive.sources if source.rows is not None]
    complete = sum(marker.stop_row - marker.first_row for marker in output.markers if _still_holds(marker, archive))
    return {
        "inputs": len(archive.sources),
        "bytes": sum(source.size for source in archive.sources),
        "text_column": archive.text_column,
        "rows": sum(known) if len(known) == len(archive.sources) else "known when they are read",
        "rows_complete": complete,
        "output": str(place),
    }


def _still_holds(marker: Any, archive: Archive) -> bool:
    return any(
        (s.file.name, s.size, s.sha256) == (marker.input, marker.input_bytes, marker.input_sha256)
        for s in archive.sources
    )


def _score_to_file(
    inputs: Sequence[str],
    file: Path,
    options: ScoreOptions,
    model: ModelOptions,
    report: Callable[[Progress], None],
    note: Callable[[str], None],
    stages: Stages | None,
) -> Result:
    """Label into a hidden folder beside the file, from which an interrupted run goes on, then join its parts."""
    work = file.with_name(f".{file.name}.emojob")
    earlier = _run_of(file)
    if earlier is not None and not options.fresh and not work.exists():
        done = _still_complete(file, earlier, inputs, options, model)
        if done is not None:
            return done
    result = score_archive(inputs, work, options, model, report, note, stages)
    try:
        _join(work, file, result)
        rejects = work / "_emojob" / "rejects.parquet"
        if rejects.exists():
            atomic.commit(rejects, file.with_name(f"{file.stem}.rejects.parquet"))
        shutil.rmtree(work)
    except OSError as error:
        raise storage_error(error, file) from error
    return replace(result, out=file)


def _run_of(file: Path) -> dict[str, Any] | None:
    """The run.json that a labelled file carries; None where there is no file. Raises OutputError for another's file."""
    if not file.exists():
        return None
    try:
        run = json.loads((pq.read_schema(file).metadata or {})[b"emojob"])["run"]
    except (KeyError, ValueError, OSError, pa.ArrowException):
        raise OutputError(f"-o {file} is there already and was not written by emojob: give another name") from None
    return dict(run)


def _still_complete(
    file: Path, earlier: dict[str, Any], inputs: Sequence[str], options: ScoreOptions, model: ModelOptions
) -> Result | None:
    """The earlier result, where the same inputs and options would only give it again."""
    begun = time.monotonic()
    loaded = load_model(model.model)
    now, then = loaded.fingerprint_for(model.max_length), earlier["model"]["fingerprint"]
    if now != then:
        raise OutputError(
            f"-o {file} was labelled with another model ({earlier['model']['name']}, {then}) than this one "
            f"({loaded.name}, {now}): give another name, the same model and --max-length, or --fresh"
        )
    archive = open_archive(find_inputs(inputs, file), options.text_column, options.encoding)
    same_inputs = [(s.file.name, s.size, s.sha256) for s in archive.sources] == [
        (one["name"], one["bytes"], one["sha256"]) for one in earlier["inputs"]
    ]
    same_options = (archive.text_column, options.prefix, options.limit) == (
        earlier["text_column"], earlier["prefix"], earlier["options"]["limit"]
    )  # fmt: skip
    if not (same_inputs and same_options):
        return None
    counts = Counts.from_json(earlier["all_counts"])
    return Result(file, "complete", counts, counts.read, time.monotonic() - begun, earlier)


def _join(work: Path, file: Path, result: Result) -> None:
    """Make one file of the parts of this run's inputs, in the inputs' order."""
    output = Output(work)
    output.read_markers()
    order = {one["name"]: i for i, one in enumerate(result.run["inputs"])}
    markers = sorted((m for m in output.markers if m.input in order), key=lambda m: (order[m.input], m.first_row))
    parts = [pq.ParquetFile(work / marker.part) for marker in markers]
    run = {**result.run, "all_counts": result.counts.as_json()}
    about = json.dumps({"format": FORMAT, "fingerprint": run["model"]["fingerprint"], "run": run}, ensure_ascii=False)
    first = parts[0].schema_arrow
    schema = first.with_metadata({**(first.metadata or {}), b"emojob": about.encode()})
    beside = atomic.temporary(file)
    with pq.ParquetWriter(beside, schema, compression="zstd", version="2.6") as writer:
        for part in parts:
            for group in range(part.num_row_groups):
                table = part.read_row_group(group).replace_schema_metadata(schema.metadata)
                writer.write_table(table, row_group_size=ROW_GROUP)
    atomic.commit(beside, file)
