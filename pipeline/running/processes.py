"""Several GPUs on one machine: one worker process for each, all fed from one queue of chunks.

Each worker has its own model, tokenizer and memo, and overlaps its stages like a run in one process. The main process
reads, hands out texts, takes the labels back in order and writes. Each worker has its own pipe, so a killed worker
leaves no lock that the others would wait for.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Tally
from emojob.pipeline.inference.streaming import Labelled, OnTiming, Texts, chunk_texts
from emojob.pipeline.reading.chunks import Chunk
from emojob.pipeline.running.gpu_worker import (
    END,
    STOP,
    GpuWorkerResult,
    GpuWorkerSetup,
    Message,
    pack_texts,
    run_worker,
)
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError

_TICK = 0.1  # seconds between two checks whether to stop
_PATIENCE = 5.0  # seconds that workers have to end after they are told to
_AHEAD = 4  # chunks that a worker has at most: one on the engine, the others on their way to it and back


def processes_for(choice: EngineChoice, gpus: int, is_large: bool) -> int:
    """Return the number of processes for a job: one for each GPU if the job is large enough to start them."""
    return gpus if choice.device == "cuda" and is_large else 1


class _GpuWorker:
    """A worker as the main process sees it.

    Attributes:
        has: The number of chunks that it has not labelled yet.
        has_ended: Whether its last message has come, or it is gone.
    """

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self.has = 0
        self.tally, self.seconds = Tally(), dict[str, float]()
        self.has_ended = False

    def send(self, message: object) -> None:
        """Send a message. If the worker is gone, that shows when its answer is awaited."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)


class GpuWorkers:
    """Workers that label, one for each GPU. Use it as a context manager: the workers live within it."""

    def __init__(self, scorer: Scorer, processes: int, stages: Stages, timer: StageTimer) -> None:
        """Describe the workers; entering the context starts them.

        Args:
            scorer: The model, and the memo and tally that the workers' results are added to. Its engine is not used.
            processes: The number of workers.
            stages: The run's threads; after its `stop` the workers stop too.
            timer: Counts how long the workers' stages are busy.
        """
        self._scorer, self._stages, self._timer = scorer, stages, timer
        choice = scorer.choice
        options = replace(scorer.options, device=choice.device, engine=choice.engine, precision=choice.precision)
        threads = max(1, hardware.cores() // processes)
        self._setups = [
            GpuWorkerSetup(i, options, threads, scorer.fingerprint, scorer.memo.multipliers, scorer.memo.contents())
            for i in range(processes)
        ]
        self._workers: list[_GpuWorker] = []

    def __enter__(self) -> GpuWorkers:
        context = multiprocessing.get_context("spawn")  # a fork would share the GPU's state
        try:
            with _interruptions_held_back():
                for setup in self._setups:
                    ours, theirs = context.Pipe()
                    process = context.Process(target=run_worker, args=(setup, theirs), daemon=True)
                    process.start()
                    theirs.close()
                    self._workers.append(_GpuWorker(process, ours))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers:
            worker.send(STOP)
        deadline = time.monotonic() + _PATIENCE
        with contextlib.suppress(EmojobError):  # only a worker's memo can be lost here
            while self._at_work() and time.monotonic() < deadline:
                for worker, message in self._heard():
                    self._take(worker, message)
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()

    def label(self, chunks: Iterator[Chunk], text_column: str, on_timing: OnTiming) -> Iterator[Labelled[Chunk]]:
        """Yield the labelled chunks in their order; some chunks are taken ahead.

        Args:
            chunks: The chunks to label.
            text_column: The name of the text column.
            on_timing: callback(chunk, seconds), called with the engine's time for each chunk.

        Raises:
            WorkerError: A worker is gone.
            StopRequested: After `stages.stop`.
        """
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
                    on_timing(waiting[labelled.key], labelled.seconds)
        for worker in self._workers:
            worker.send(END)
        while self._at_work():
            self._next()

    def _give(self, number: int, texts: Texts[Chunk]) -> None:
        """Give texts to the worker that has the fewest chunks."""
        worker = min(self._workers, key=lambda one: one.has)
        worker.has += 1
        worker.send((number, pack_texts(texts.texts), None if texts.previous is None else pack_texts(texts.previous)))

    def _next(self) -> list[Labelled[int]]:
        """Return what was labelled in the next tenth of a second.

        Raises:
            StopRequested: After `stages.stop`.
            WorkerError: A worker is gone; or any error that a worker reports.
        """
        found = [self._take(worker, message) for worker, message in self._heard()]
        if self._stages.stopping:
            raise StopRequested
        return [one for one in found if one]

    def _at_work(self) -> list[_GpuWorker]:
        return [worker for worker in self._workers if not worker.has_ended]

    def _heard(self) -> Iterator[tuple[_GpuWorker, Message]]:
        """Yield the messages of the next tenth of a second. Raises WorkerError if a worker is gone."""
        by_pipe = {worker.pipe: worker for worker in self._at_work()}
        for pipe in wait(list(by_pipe), _TICK):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                yield worker, worker.pipe.recv()
            except (EOFError, OSError):
                worker.has_ended = True
                worker.process.join(_TICK)
                time.sleep(_TICK)
                if not self._stages.stopping:  # a service manager ends the workers and this process alike
                    raise _gone(worker.process, self._workers.index(worker)) from None

    def _take(self, worker: _GpuWorker, message: Message) -> Labelled[int] | None:
        """Handle a message; raise it if it is an error."""
        if isinstance(message, EmojobError):
            worker.has_ended = True
            raise message
        for stage, seconds in message.seconds.items():
            self._timer.add(stage, (seconds - worker.seconds.get(stage, 0.0)) / len(self._workers))
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
    killed = ": it was killed, perhaps because memory ran out" if process.exitcode == -signal.SIGKILL else ""
    return WorkerError(
        f"the process of device {number} ended with {process.exitcode}{killed}; the same command goes on from there"
    )


@contextlib.contextmanager
def _interruptions_held_back() -> Iterator[None]:
    """Hide Ctrl-C from processes that are started within: a terminal sends it to all of them, but this one decides."""
    resource_tracker.ensure_running()  # if it started later, it would undo the next line
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
