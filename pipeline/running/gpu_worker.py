"""A worker process of one GPU: it labels the texts that come through its pipe and sends the labels back."""

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
    """What a worker begins with.

    Attributes:
        number: The number of its GPU.
        fingerprint: The fingerprint that its model must have.
        multipliers: The hash multipliers of the memo.
        memo: The contents of the memo.
    """

    number: int
    options: ModelOptions
    threads: int
    fingerprint: str
    multipliers: Keys
    memo: Contents


@dataclass(frozen=True)
class ChunkResult:
    """A chunk's labels, the worker's tally so far, and the seconds that its stages were busy so far."""

    labelled: Labelled[int]
    tally: Tally
    seconds: dict[str, float]


@dataclass(frozen=True)
class GpuWorkerResult:
    """A worker's last message: its tally, the seconds that its stages were busy, and its memo."""

    tally: Tally
    seconds: dict[str, float]
    memo: Contents


Message = ChunkResult | GpuWorkerResult | EmojobError


def run_worker(setup: GpuWorkerSetup, pipe: Connection) -> None:
    """Label texts until the queue closes or the parent exits."""
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
    except Exception as error:  # the parent reports it
        pipe.send(internal_error(error, f"in the process of device {setup.number}"))


def _scorer(setup: GpuWorkerSetup) -> Scorer:
    """Load the model on this worker's GPU. Raises WorkerError if its files have changed since the run began."""
    if setup.options.device == "cuda":
        import torch

        torch.cuda.set_device(setup.number)
    texts = calibration_texts(setup.options.calibration)
    scorer = Scorer.load(options=setup.options, threads=setup.threads, calibration_texts=texts)
    if scorer.fingerprint != setup.fingerprint:
        raise WorkerError(f"the model {scorer.model.name} was changed while the run began: run the same command again")
    scorer.memo = Memo(len(scorer.model.labels), multipliers=setup.multipliers)
    scorer.memo.merge(setup.memo)
    return scorer


def _listen(pipe: Connection, texts: queue.SimpleQueue[Texts[int] | None], stages: Stages) -> None:
    """Read the pipe all the time, so that the parent never waits to send; exit when the parent exits."""
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
    """Return texts in Arrow's IPC format. Pickling a slice would copy the whole array."""
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
