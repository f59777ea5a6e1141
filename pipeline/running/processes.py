"""Labels rows on several GPUs of one machine, with one worker process per GPU.

Each worker has its own model, tokenizer and memo (cached probabilities of repeated texts). The main process reads the
inputs, sends texts to the workers, and receives the labels. The main process writes the rows in the order of the
inputs.

Each worker has its own pipe, because a killed worker could leave a shared queue locked and block all other workers.
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
from emojob.pipeline.reading.dataset import Dataset
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

_TICK = 0.1  # seconds between two checks for a stop request
_PATIENCE = 5.0  # seconds after STOP until workers are killed
_AHEAD = 4  # maximum number of pending chunks per worker


def processes_for(choice: EngineChoice, gpus: int, is_large: bool) -> int:
    """Return the number of processes for a job: one per GPU if the job is large and uses GPUs, else 1."""
    return gpus if choice.device == "cuda" and is_large else 1


class _GpuWorker:
    """The state of a worker process, in the main process.

    Attributes:
        process: The worker process.
        pipe: The main process's end of the pipe to the worker.
        pending_chunks: Number of chunks that were sent to the worker and are not labelled yet.
        tally: Counts of rows, tokens and batches, from the worker's last message.
        seconds: {stage: busy seconds}, from the worker's last message.
        has_ended: Whether the worker sent its last message or exited.
    """

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self.pending_chunks = 0
        self.tally, self.seconds = Tally(), dict[str, float]()
        self.has_ended = False

    def send(self, message: object) -> None:
        """Send a message. Ignore a worker that has exited, because `_messages` raises WorkerError for the worker."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)


class GpuWorkers:
    """Context manager that starts one worker process per GPU, and ends the processes on exit."""

    def __init__(self, scorer: Scorer, processes: int, stages: Stages, timer: StageTimer) -> None:
        """Prepare the workers. `__enter__` starts the workers.

        Args:
            scorer: The loaded model. `scorer.memo` and `scorer.tally` receive the cached probabilities and the counts
                of all workers. `scorer.engine` is not used.
            processes: Number of workers.
            stages: The threads of the run. `stages.stop()` also stops the workers.
            timer: Measures how many seconds each stage is busy.
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
        context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
        try:
            with _sigint_blocked():
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
        # ignore errors of the workers here, because only cached probabilities can be lost
        with contextlib.suppress(EmojobError):
            while self._running_workers() and time.monotonic() < deadline:
                for worker, message in self._messages():
                    self._process(worker, message)
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()

    def label(self, chunks: Iterator[Chunk], dataset: Dataset, on_timing: OnTiming) -> Iterator[Labelled[Chunk]]:
        """Yield the labelled chunks in the order of `chunks`. Up to _AHEAD chunks per worker are read in advance.

        Args:
            chunks: The chunks to label.
            dataset: The dataset of the chunks.
            on_timing: callback(chunk, seconds), called after each chunk. `seconds` is the duration of the inference.

        Raises:
            WorkerError: A worker ended unexpectedly.
            StopRequested: The run was stopped.
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
                self._send_texts(given, chunk_texts(chunk, dataset))
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
        while self._running_workers():
            self._next()

    def _send_texts(self, number: int, texts: Texts[Chunk]) -> None:
        """Send the texts of chunk `number` to the worker that has the fewest pending chunks."""
        worker = min(self._workers, key=lambda one: one.pending_chunks)
        worker.pending_chunks += 1
        worker.send((number, pack_texts(texts.texts), None if texts.previous is None else pack_texts(texts.previous)))

    def _next(self) -> list[Labelled[int]]:
        """Wait up to _TICK seconds, and return the chunks that were labelled.

        Raises:
            StopRequested: The run was stopped.
            WorkerError: A worker ended unexpectedly.
            EmojobError: A worker reported an error.
        """
        found = [self._process(worker, message) for worker, message in self._messages()]
        if self._stages.stopping:
            raise StopRequested
        return [one for one in found if one]

    def _running_workers(self) -> list[_GpuWorker]:
        return [worker for worker in self._workers if not worker.has_ended]

    def _messages(self) -> Iterator[tuple[_GpuWorker, Message]]:
        """Wait up to _TICK seconds, and yield the workers' messages. Raises WorkerError if a worker died."""
        by_pipe = {worker.pipe: worker for worker in self._running_workers()}
        for pipe in wait(list(by_pipe), _TICK):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                yield worker, worker.pipe.recv()
            except (EOFError, OSError):
                worker.has_ended = True
                worker.process.join(_TICK)
                time.sleep(_TICK)
                # when a run is stopped, a service manager may also end the workers, and this is not an error
                if not self._stages.stopping:
                    raise _exit_error(worker.process, self._workers.index(worker)) from None

    def _process(self, worker: _GpuWorker, message: Message) -> Labelled[int] | None:
        """Process a message from a worker. Return the labelled chunk, or None for the last message.

        Raises:
            EmojobError: The message is an error.
        """
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
        worker.pending_chunks -= 1
        return message.labelled


def _exit_error(process: BaseProcess, number: int) -> WorkerError:
    killed = " (killed, perhaps because memory ran out)" if process.exitcode == -signal.SIGKILL else ""
    return WorkerError(
        f"the worker process of GPU {number} ended with exit code {process.exitcode}{killed}: run the same command to "
        "continue"
    )


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT in the processes that are started inside the `with` block.

    On Ctrl-C, a terminal sends SIGINT to all processes, but only the main process may stop the workers.
    """
    # start the resource tracker before SIGINT is blocked, because the start of the tracker would unblock SIGINT
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
