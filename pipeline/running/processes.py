"""Several GPUs on one machine: a process for each, all fed from one queue of chunks.

Each process has the model, the tokenizer and a memo of its own, and its stages overlap as those of a run in one process
do. This one reads, hands out texts, takes labels back in order and writes. A pipe leads to each process, so that one
that is killed leaves no lock behind that others wait for.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import pyarrow as pa

from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.memo import Contents, Keys, Memo
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Tally
from emojob.pipeline.inference.streaming import Labelled, OnTiming, Texts, chunk_texts, label
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.reading.chunks import Chunk
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError, internal_error
from emojob.schemas.options import ModelOptions

_TICK = 0.1  # seconds between looks at whether to stop
_PATIENCE = 5.0  # seconds that processes have to end when they are told to
_AHEAD = 4  # chunks that a process has at most: one on the engine, the others on their way to it and from it

_END, _STOP = "there is nothing more", "stop at once"


def processes_for(choice: EngineChoice, gpus: int, is_large: bool) -> int:
    """How many processes suit a job: one for each GPU where it is large enough for them to start."""
    return gpus if choice.device == "cuda" and is_large else 1


@dataclass(frozen=True)
class GpuWorkerSetup:
    """What a process begins with. multipliers, memo: of the memo that it goes on with."""

    number: int
    options: ModelOptions
    threads: int
    fingerprint: str
    multipliers: Keys
    memo: Contents


@dataclass(frozen=True)
class _ChunkResult:
    """A chunk's labels, what the process did so far, and the seconds that its stages were busy."""

    labelled: Labelled[int]
    tally: Tally
    seconds: dict[str, float]


@dataclass(frozen=True)
class GpuWorkerResult:
    """What a process leaves behind: what it did, and its memo."""

    tally: Tally
    seconds: dict[str, float]
    memo: Contents


Message = _ChunkResult | GpuWorkerResult | EmojobError


class _GpuWorker:
    """A process as this one sees it, with the chunks that it has."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self.has = 0
        self.tally, self.seconds = Tally(), dict[str, float]()
        self.has_ended = False

    def send(self, message: object) -> None:
        """Send it something; where it is gone, that shows when its answer is waited for."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)


class GpuWorkers:
    """Processes that label, one for each device; a context, within which they live.

    scorer: says what is run, and gets what the processes did and remember; its own engine is not used. On a GPU each
    process takes the one of its number.
    """

    def __init__(self, scorer: Scorer, processes: int, stages: Stages, timer: StageTimer) -> None:
        self._scorer, self._stages, self._clock = scorer, stages, timer
        choice = scorer.choice
        settled = replace(scorer.options, device=choice.device, engine=choice.engine, precision=choice.precision)
        threads = max(1, hardware.cores() // processes)
        self._given = [
            GpuWorkerSetup(i, settled, threads, scorer.fingerprint, scorer.memo.multipliers, scorer.memo.contents())
            for i in range(processes)
        ]
        self._workers: list[_GpuWorker] = []

    def __enter__(self) -> GpuWorkers:
        context = multiprocessing.get_context("spawn")  # a fork would share the GPU's state
        try:
            with _interruptions_held_back():
                for given in self._given:
                    ours, theirs = context.Pipe()
                    process = context.Process(target=_work, args=(given, theirs), daemon=True)
                    process.start()
                    theirs.close()
                    self._workers.append(_GpuWorker(process, ours))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers:
            worker.send(_STOP)
        deadline = time.monotonic() + _PATIENCE
        with contextlib.suppress(EmojobError):  # all that can be lost here is what one of them remembers
            while self._at_work() and time.monotonic() < deadline:
                for worker, message in self._heard():
                    self._take(worker, message)
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()

    def label(self, chunks: Iterator[Chunk], text_column: str, took: OnTiming) -> Iterator[Labelled[Chunk]]:
        """The chunks labelled, in their order, some taken ahead. Raises WorkerError where a process is gone."""
        waiting: dict[int, Chunk] = {}
        done: dict[int, Labelled[int]] = {}
        given = due = 0
        ended = False
        while not ended or waiting:
            while not ended and len(waiting) < _AHEAD * len(self._workers):
                chunk = next(chunks, None)
                if chunk is None:
                    ended = True
                    break
                waiting[given] = chunk
                self._give(given, chunk_texts(chunk, text_column))
                given += 1
            if due in done:
                one, chunk = done.pop(due), waiting.pop(due)
                due += 1
                yield Labelled(chunk, one.scored, one.tokens, one.seconds)
            elif waiting:
                for labelled in self._next():
                    done[labelled.key] = labelled
                    took(waiting[labelled.key], labelled.seconds)
        for worker in self._workers:
            worker.send(_END)
        while self._at_work():
            self._next()

    def _give(self, number: int, texts: Texts[Chunk]) -> None:
        """Give texts to the process that has least to do."""
        worker = min(self._workers, key=lambda one: one.has)
        worker.has += 1
        worker.send((number, _packed(texts.texts), None if texts.previous is None else _packed(texts.previous)))

    def _next(self) -> list[Labelled[int]]:
        """What was labelled in the next tenth of a second. Raises a process's error, Stopped or WorkerError."""
        found = [self._take(worker, message) for worker, message in self._heard()]
        if self._stages.stopping:
            raise StopRequested
        return [one for one in found if one]

    def _at_work(self) -> list[_GpuWorker]:
        return [worker for worker in self._workers if not worker.has_ended]

    def _heard(self) -> Iterator[tuple[_GpuWorker, Message]]:
        """What processes say within a tenth of a second. Raises WorkerError where one is gone."""
        by_pipe = {worker.pipe: worker for worker in self._at_work()}
        for pipe in wait(list(by_pipe), _TICK):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                yield worker, worker.pipe.recv()
            except (EOFError, OSError):
                worker.has_ended = True
                worker.process.join(_TICK)
                time.sleep(_TICK)
                if not self._stages.stopping:  # a service manager tells all of them to end, and this one too
                    raise _gone(worker.process, self._workers.index(worker)) from None

    def _take(self, worker: _GpuWorker, message: Message) -> Labelled[int] | None:
        """Take what a process said; raise it where it is an error."""
        if isinstance(message, EmojobError):
            worker.has_ended = True
            raise message
        for stage, seconds in message.seconds.items():
            self._clock.add(stage, (seconds - worker.seconds.get(stage, 0.0)) / len(self._workers))
        worker.tally, worker.seconds = message.tally, message.seconds
        total = Tally()
        for each in self._workers:
            total.add(each.tally)
        self._scorer.tally = total
        if isinstance(message, GpuWorkerResult):
            worker.has_ended = True
            self._scorer.memo.merge(message.memo)
            return None
        worker.has -= 1
        return message.labelled


def _gone(process: BaseProcess, number: int) -> WorkerError:
    killed = ": it was killed, as a system does that has no memory left" if process.exitcode == -signal.SIGKILL else ""
    return WorkerError(
        f"the process of device {number} ended with {process.exitcode}{killed}; the same command goes on from there"
    )


@contextlib.contextmanager
def _interruptions_held_back() -> Iterator[None]:
    """Processes that are started here never see Ctrl-C: a terminal sends it to all, and the parent decides."""
    resource_tracker.ensure_running()  # which undoes the next line where it has to start something
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _packed(texts: pa.Array) -> bytes:
    """Texts as Arrow's bytes: those of a slice alone, which pickling it would not give."""
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([texts], ["text"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _unpacked(content: bytes) -> pa.Array:
    with pa.ipc.open_stream(content) as reader:
        return reader.read_next_batch().column(0)


# -- what a process does ----------------------------------------------------------------------------------------------


def _work(given: GpuWorkerSetup, pipe: Connection) -> None:
    """Label what comes, until there is nothing more, or nobody who asks."""
    hardware.return_freed_memory()
    stages, timer = Stages(), StageTimer()
    texts: queue.SimpleQueue[Texts[int] | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, texts, stages), daemon=True).start()
    try:
        scorer = _scorer(given)
        with contextlib.suppress(StopRequested):
            for labelled in label(scorer, iter(texts.get, None), stages, timer):
                pipe.send(_ChunkResult(labelled, replace(scorer.tally), dict(timer.seconds)))
        stages.join()
        pipe.send(GpuWorkerResult(scorer.tally, timer.seconds, scorer.memo.contents()))
    except EmojobError as error:
        pipe.send(error)
    except Exception as error:  # this is all that the process does; the parent tells of it
        pipe.send(internal_error(error, f"in the process of device {given.number}"))


def _scorer(given: GpuWorkerSetup) -> Scorer:
    """The model on this process's device. Raises WorkerError where its files have changed since the run began."""
    if given.options.device == "cuda":
        import torch

        torch.cuda.set_device(given.number)
    texts = calibration_texts(given.options.calibration)
    scorer = Scorer.load(options=given.options, threads=given.threads, calibration_texts=texts)
    if scorer.fingerprint != given.fingerprint:
        raise WorkerError(f"the model {scorer.model.name} was changed while the run began: run the same command again")
    scorer.memo = Memo(len(scorer.model.labels), multipliers=given.multipliers)
    scorer.memo.merge(given.memo)
    return scorer


def _listen(pipe: Connection, texts: queue.SimpleQueue[Texts[int] | None], stages: Stages) -> None:
    """Take from the pipe at all times, so that the parent never waits to give; end with the parent."""
    try:
        while (message := pipe.recv()) != _END:
            if message == _STOP:
                stages.stop()
                break
            number, own, previous = message
            texts.put(Texts(number, _unpacked(own), None if previous is None else _unpacked(previous)))
        texts.put(None)
        while pipe.recv():
            stages.stop()
    except (EOFError, OSError):
        os._exit(1)
