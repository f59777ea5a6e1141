"""What a run would do, and about how long it would take, without doing it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.archive import Archive, Source, open_archive, windows
from pipeline.context import in_context
from pipeline.destination import work_folder
from pipeline.inputs import find_inputs
from pipeline.output import Output
from pipeline.run import LARGE, default_out
from pipeline.scorer import Scorer
from pipeline.speed import tokens_per_second
from schemas.manifest import PartMarker
from schemas.options import ModelOptions, ScoreOptions

_PLACES = 4  # of the archive that a sample is taken from
_ROWS = 16_384  # of each
_SECONDS = 5.0  # that the engine runs


def plan_archive(
    inputs: Sequence[str],
    out: Path | None,
    options: ScoreOptions,
    model_options: ModelOptions,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """What a run would do, and an estimate of its seconds from some seconds of real batches; no output is written.

    note: gets a line before what takes long. Raises what `score_archive` raises before it begins.
    """
    files = find_inputs(inputs, [out] if out else [])
    place = (out or default_out(inputs)).resolve()
    begun = time.perf_counter()
    scorer = Scorer.load(None, model_options, sum(file.path.stat().st_size for file in files) >= LARGE, note)
    load_seconds = time.perf_counter() - begun
    archive = open_archive(files, options.text_column, options.encoding)
    archive = in_context(archive, scorer.options.context, options.conversation_column)
    output = Output(work_folder(place))
    output.read_markers()
    complete = [] if options.fresh else [m for m in output.markers if _still_holds(m, archive)]
    rows = sum(source.lines if source.rows is None else source.rows for source in archive.sources)
    done = sum(m.stop_row - m.first_row for m in complete)
    known = all(source.rows is not None for source in archive.sources)
    finished = {m.input for m in complete if m.last}
    unread = [source for source in archive.sources if source.file.name not in finished]
    left = max(0, min(rows, options.limit or rows) - done) if unread else 0
    plan = {
        "inputs": len(archive.sources),
        "bytes": sum(source.size for source in archive.sources),
        "text_column": archive.text_column,
        **({"conversation_column": archive.conversation_column} if archive.conversation_column else {}),
        "rows" if known else "rows_about": rows,
        "rows_complete": done,
        "output": str(place),
        "engine": f"{scorer.choice.engine} on {scorer.choice.device} in {scorer.choice.precision}",
    }
    if left:
        plan |= _estimate(scorer, archive, unread, left, load_seconds)
    return plan


def _estimate(scorer: Scorer, archive: Archive, sources: list[Source], rows: int, load: float) -> dict[str, Any]:
    """Tokens of so many rows, and seconds that a run of them takes."""
    sampled = tokens = inferred = 0
    begun = time.perf_counter()
    pieces = []
    for texts in _sample(archive, sources):
        prepared = scorer.prepare(texts)
        sampled += len(texts)
        tokens += int(prepared.encoded.lengths[prepared.place[prepared.place >= 0]].sum())
        inferred += int(prepared.encoded.lengths.sum())
        pieces.append(prepared.encoded)
    if not sampled:
        return {}
    reading = (time.perf_counter() - begun) / sampled
    largest = max(pieces, key=lambda encoded: len(encoded.ids))
    rate = tokens_per_second(scorer.engine, largest, scorer.batch_tokens, _SECONDS)
    if not rate:
        return {}
    engine = inferred / sampled / rate
    # a GPU works while the processor reads on; on a processor the two share the cores
    each = max(engine, reading) if scorer.choice.device == "cuda" else engine + reading
    return {
        "tokens_about": round(rows * tokens / sampled),
        "rows_per_second_about": round(1 / each),
        "seconds_about": round(load + rows * each, 1),
    }


def _sample(archive: Archive, sources: list[Source]) -> Iterator[pa.Array]:
    """Texts from a few places of what is to be read."""
    step = max(1, len(sources) // _PLACES)
    some = sources[::step][:_PLACES]
    for source in some:
        each = max(1, _PLACES // len(some)) if source.file.format == "parquet" else 1  # others are read from the start
        for place in range(each):
            start = (source.rows or 0) * place // each
            window = next(windows(archive, source, start, _ROWS, [archive.text_column]), None)
            if window is not None:
                yield window.batch.column(archive.text_column)


def _still_holds(marker: PartMarker, archive: Archive) -> bool:
    now = {(s.file.name, s.size, s.sha256) for s in archive.sources}
    return (marker.input, marker.input_bytes, marker.input_sha256) in now
