"""Worker process of one GPU. The process receives texts through a pipe, and sends the labels back."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import pyarrow as pa

from emojob.pipeline.inference.memo import Contents, Keys, Memo
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Tally
from emojob.pipeline.inference.streaming import Labelled, Texts, label
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError, internal_error
from emojob.schemas.options import ModelOptions

END, STOP = "no more texts", "stop at once"


@dataclass(frozen=True)
class GpuWorkerSetup:
    """The data that the main process sends to a new worker process.

    Attributes:
        number: Index of the worker's GPU, counted from 0.
        options: Options of the model.
        threads: Number of CPU threads of the worker.
        fingerprint: Expected fingerprint of the model.
        multipliers: Hash multipliers of the memo (cached probabilities of repeated texts).
        memo: Contents of the memo.
    """

    number: int
    options: ModelOptions
    threads: int
    fingerprint: str
    multipliers: Keys
    memo: Contents


@dataclass(frozen=True)
class ChunkResult:
    """The labels of one chunk (rows that are labelled together), and the worker's statistics so far.

    Attributes:
        labelled: Labels of the chunk. `labelled.key` is the number of the chunk.
        tally: Counts of rows, tokens and batches since the start of the worker.
        seconds: {stage: busy seconds since the start of the worker}.
    """

    labelled: Labelled[int]
    tally: Tally
    seconds: dict[str, float]


@dataclass(frozen=True)
class GpuWorkerResult:
    """The last message of a worker: final statistics, and the contents of its memo (cached probabilities)."""

    tally: Tally
    seconds: dict[str, float]
    memo: Contents


Message = ChunkResult | GpuWorkerResult | EmojobError


def run_worker(setup: GpuWorkerSetup, pipe: Connection) -> None:
    """Label the texts that arrive in the pipe, until the parent process sends END or STOP, or exits."""
    hardware.return_freed_memory()
    stages, timer = Stages(), StageTimer()
    texts: queue.SimpleQueue[Texts[int] | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, texts, stages), daemon=True).start()
    try:
        scorer = _scorer(setup)
        with contextlib.suppress(StopRequested):
            for labelled in label(scorer, iter(texts.get, None), stages, timer):
                pipe.send(ChunkResult(labelled, replace(scorer.tally), dict(timer.seconds)))
        stages.join()
        pipe.send(GpuWorkerResult(scorer.tally, timer.seconds, scorer.memo.contents()))
    except EmojobError as error:
        pipe.send(error)
    except Exception as error:  # the parent process reports the error
        pipe.send(internal_error(error, f"in the worker process of GPU {setup.number}"))


def _scorer(setup: GpuWorkerSetup) -> Scorer:
    """Load the model on the worker's GPU. Raises WorkerError if the model files have changed."""
    if setup.options.device == "cuda":
        import torch

        torch.cuda.set_device(setup.number)
    texts = calibration_texts(setup.options.calibration)
    scorer = Scorer.load(options=setup.options, threads=setup.threads, calibration_texts=texts)
    if scorer.fingerprint != setup.fingerprint:
        raise WorkerError(
            f"the files of the model {scorer.model.name} changed after the run had started: run the same command again"
        )
    scorer.memo = Memo(len(scorer.model.labels), multipliers=setup.multipliers)
    scorer.memo.merge(setup.memo)
    return scorer


def _listen(pipe: Connection, texts: queue.SimpleQueue[Texts[int] | None], stages: Stages) -> None:
    """Read the pipe continuously, so that the parent process never waits. Exit when the parent process exits."""
    try:
        while (message := pipe.recv()) != END:
            if message == STOP:
                stages.stop()
                break
            number, own, previous = message
            texts.put(Texts(number, unpack_texts(own), None if previous is None else unpack_texts(previous)))
        texts.put(None)
        while pipe.recv():
            stages.stop()
    except (EOFError, OSError):
        os._exit(1)


def pack_texts(texts: pa.Array) -> bytes:
    """Convert texts to bytes in Arrow's IPC format.

    Pickle is not used, because it would copy the complete array even if `texts` is a slice (`pa.Array.slice`).
    """
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([texts], ["text"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpack_texts(content: bytes) -> pa.Array:
    with pa.ipc.open_stream(content) as reader:
        return reader.read_next_batch().column(0)
