"""The connection of this process to a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from typing import Any

import ray

from emojob.schemas.errors import EmojobError, OptionError
from emojob.schemas.messages import first_line


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect to the cluster at an address, or at RAY_ADDRESS, or else start one of this machine alone.

    A cluster of this machine alone ends with the context. A connection that exists already, as in a notebook, is used
    and stays.

    Raises:
        OptionError: No cluster answers.
    """
    with contextlib.nullcontext() if ray.is_initialized() else _joined(address):
        yield


@contextlib.contextmanager
def _joined(address: str | None) -> Iterator[None]:
    address = address or os.environ.get("RAY_ADDRESS")
    alone: dict[str, Any] = {} if address else {"include_dashboard": False}
    with _handlers_kept():
        try:
            _check_answer(address)
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **alone)
        except EmojobError:  # raised by a signal
            raise
        except Exception as error:
            reason = first_line(error)
            raise OptionError(
                f"--ray-address {address}: no Ray cluster answers there ({reason}): `ray status` says more; without an "
                f"address this machine alone is used"
                if address
                else f"Ray could not be started on this machine ({reason}): leave --engine ray out"
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answer(address: str | None) -> None:
    """Raise OSError at once if nobody listens at HOST:PORT; Ray itself tries for minutes."""
    found = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:(\d{1,5})", address or "")
    if found:
        socket.create_connection((found[1], int(found[2])), timeout=10).close()


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep this process's signal handlers: Ray replaces that of SIGTERM, but a run ends in its own orderly way."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not the main thread
            for number, handler in before.items():
                signal.signal(number, handler)
