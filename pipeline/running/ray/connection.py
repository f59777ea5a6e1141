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
    """Connect to a cluster. A connection that exists already, as in a notebook, is used and stays.

    Args:
        address: HOST:PORT. None stands for RAY_ADDRESS; without it, for a cluster on this machine alone, which ends
            with the context.

    Raises:
        OptionError: No cluster answers.
    """
    with contextlib.nullcontext() if ray.is_initialized() else _joined(address):
        yield


@contextlib.contextmanager
def _joined(address: str | None) -> Iterator[None]:
    address = address or os.environ.get("RAY_ADDRESS")
    settings: dict[str, Any] = {} if address else {"include_dashboard": False}
    with _handlers_kept():
        try:
            _check_answer(address)
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **settings)
        except EmojobError:  # raised by a signal
            raise
        except Exception as error:
            reason = first_line(error)
            raise OptionError(
                f"--ray-address {address}: no Ray cluster answers there ({reason}): see `ray status`; without an "
                f"address this machine alone is used"
                if address
                else f"Ray does not start on this machine ({reason}): leave out --engine ray"
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answer(address: str | None) -> None:
    """Raise OSError if nothing listens at HOST:PORT. Ray itself tries for minutes."""
    found = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:(\d{1,5})", address or "")
    if found:
        socket.create_connection((found[1], int(found[2])), timeout=10).close()


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Restore the signal handlers at the end: Ray replaces the one for SIGTERM, with which emojob stops a run."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not the main thread
            for number, handler in before.items():
                signal.signal(number, handler)
