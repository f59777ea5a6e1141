"""Several GPUs on one machine: a process for each, all fed from one queue of chunks.

Each process has the model, the tokenizer and a memo of its own. This one reads, hands out texts, takes labels back in
order and writes.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from multiprocessing import connection
from typing import Any

import pyarrow as pa

from pipeline import machine
from pipeline.chunks import Chunk
from pipeline.engine import Choice
from pipeline.labelling import Labelled, Took
from pipeline.memo import Contents, Keys
from pipeline.scorer import Scored, Scorer, Tally
from pipeline.stages import Clock, Stages, Stopped
from schemas.errors import EmojobError, WorkerError
from schemas.options import ModelOptions

_TICK = 0.1  # seconds between looks at whether to stop, and whether all are still there
_PATIENCE = 5.0  # seconds that processes have to end when they are told to
_AHEAD = 2  # chunks for each process: while one is worked on, the next one is waiting


def processes_for(choice: Choice, gpus: int, is_large: bool) -> int:
    """How many processes suit a job: one for each GPU where it is large enough for them to start."""
    return gpus if choice.device == "cuda" and is_large else 1


@dataclass(frozen=True)
class _Task:
    number: int
    texts: pa.Array
    previous: pa.Array | None


@dataclass(frozen=True)
class _Done:
    number: int
    scored: Scored
    tokens: tuple[int, int]
    seconds: float


@dataclass(frozen=True)
class _Left:
    """What a process leaves behind: what it did, and its memo."""

    tally: Tally
    memo: Contents


class Pool:
    """Processes that label, one for each device; a context, within which they live.

    scorer: says what is run, and gets what the processes did and remember; its own engine is not used. On a GPU each
    process takes the one of its number.
    """

    def __init__(self, scorer: Scorer, processes: int, stages: Stages, clock: Clock) -> None:
        self._scorer, self._stages, self._clock = scorer, stages, clock
        context = multiprocessing.get_context("spawn")  # a fork would share the GPU's state
        self._tasks: Any = context.Queue()
        self._results: Any = context.Queue()
        self._stop = context.Event()
        threads = max(1, machine.cores() // processes)
        same = replace(scorer.options, engine=scorer.choice.engine, precision=scorer.choice.precision)
        given = same, scorer.choice.device, threads, scorer.memo.multipliers, scorer.memo.contents()
        self._processes = [
            context.Process(target=_work, args=(i, *given, self._tasks, self._results, self._stop), daemon=True)
            for i in range(processes)
        ]

    def __enter__(self) -> Pool:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        deadline = time.monotonic() + _PATIENCE
        for process in self._processes:
            process.join(max(0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._tasks.close()
        self._tasks.cancel_join_thread()

    def label(self, chunks: Iterator[Chunk], text_column: str, took: Took) -> Iterator[Labelled]:
        """The chunks labelled, in their order, some taken ahead. Raises WorkerError where a process is gone."""
        waiting: dict[int, Chunk] = {}
        done: dict[int, _Done] = {}
        given = due = 0
        ended = False
        while not ended or waiting:
            while not ended and len(waiting) < _AHEAD * len(self._processes):
                chunk = next(chunks, None)
                if chunk is None:
                    ended = True
                    break
                waiting[given] = chunk
                texts = chunk.window.batch.column(text_column)
                self._tasks.put(_Task(given, texts, chunk.previous))
                given += 1
            if not waiting:
                break
            if due not in done:
                one = self._next()
                done[one.number] = one
                took(waiting[one.number], one.seconds)
                self._clock.add("infer", one.seconds / len(self._processes))
                continue
            one, chunk = done.pop(due), waiting.pop(due)
            due += 1
            yield Labelled(chunk, one.scored, one.tokens)
        self._collect()

    def _next(self) -> Any:
        """The next result. Raises a process's error, Stopped, or WorkerError where a process is gone."""
        while True:
            gone = [i for i, process in enumerate(self._processes) if process.exitcode not in (None, 0)]
            if gone:
                code = self._processes[gone[0]].exitcode
                raise WorkerError(
                    f"the process of device {gone[0]} ended with {code} (out of memory?): the same command goes on"
                )
            try:
                result = self._results.get(timeout=_TICK)
            except queue.Empty:
                if self._stages.stopping:
                    raise Stopped from None
                continue
            if isinstance(result, BaseException):
                raise result
            return result

    def _collect(self) -> None:
        """Let the processes end, and take what they did and remember."""
        for _ in self._processes:
            self._tasks.put(None)
        for _ in self._processes:
            left = self._next()
            for one in fields(Tally):
                total = getattr(self._scorer.tally, one.name) + getattr(left.tally, one.name)
                setattr(self._scorer.tally, one.name, total)
            self._scorer.memo.merge(left.memo)


def _work(
    number: int,
    options: ModelOptions,
    device: str,
    threads: int,
    multipliers: Keys,
    remembered: Contents,
    tasks: Any,
    results: Any,
    stop: Any,
) -> None:
    """What one process does: label what comes, until there is nothing more or nobody who asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the parent decides
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        if device == "cuda":
            import torch

            torch.cuda.set_device(number)
        scorer = Scorer.load(options=replace(options, device=device), threads=threads)
        scorer.memo.multipliers = multipliers
        scorer.memo.merge(remembered)
        while not stop.is_set():
            try:
                task = tasks.get(timeout=_TICK)
            except queue.Empty:
                continue
            if task is None:
                results.put(_Left(scorer.tally, scorer.memo.contents()))
                return
            begun = time.perf_counter()
            prepared = scorer.prepare(task.texts, task.previous)
            scored = scorer.label(prepared, scorer.infer(prepared, stop.is_set))
            results.put(_Done(task.number, scored, scorer.count_tokens(prepared), time.perf_counter() - begun))
        results.cancel_join_thread()  # nobody takes them any more
    except Stopped:
        results.cancel_join_thread()
    except EmojobError as error:
        results.put(error)
    except Exception as error:
        results.put(WorkerError(f"{type(error).__name__} in the process of device {number}: {error}"))


def _end_with_the_parent() -> None:
    """Wait for the parent's end, and end. One that was killed may have left a lock behind that is waited for here."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
