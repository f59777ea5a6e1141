"""Locks a folder in an object store with a lease, because object stores have no locks.

A lease is an object. A process creates it with a conditional put, which fails if the object exists. The process then
rewrites the object regularly, which renews the lease. Another process may take over the lease in two cases:

- The lease was not renewed for LEASE seconds.
- The process that held the lease ran on the same machine and has ended.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emojob.pipeline.storage.atomic import json_bytes, parse_json, read_json
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import BusyError, StorageError

LEASE = 600.0  # seconds after the last renewal until the lease expires
RENEWAL = 60.0  # seconds between renewals
_DOUBT = 1.0  # seconds to wait after a takeover, because another process may take over the lease at the same time
_TRIES = 5
_PATIENCE = 10.0  # seconds that `release` waits for a running renewal


class Lease:
    """A lease that this process holds on a folder, so that no other process writes there."""

    def __init__(self, file: ObjectPath, folder: AnyPath) -> None:
        """Prepare a lease; `take` acquires it.

        Args:
            file: The object that represents the lease.
            folder: The folder to lock. Error messages show it.
        """
        self._file, self._folder = file, folder
        self._token = uuid.uuid4().hex
        self._renewed = time.time()
        self._is_lost = False
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True)

    def check(self) -> None:
        """Raise StorageError if another run may have the lease, for example because this machine was suspended."""
        if self._is_lost or time.time() - self._renewed > LEASE - RENEWAL:
            raise StorageError(
                f"this run lost its lock on {self._folder}, because it did not renew the lock in time: make sure that "
                f"no other run is writing there, then run the same command again"
            )

    def take(self) -> None:
        """Acquire the lease. Raises BusyError if another run holds it."""
        holder: dict[str, Any] = {}
        for _ in range(_TRIES):
            with contextlib.suppress(FileExistsError):
                self._file.write_bytes(self._content(), create_only=True)
                return
            try:
                found = self._file.stat()  # before the read: if the lease is replaced later, the write below fails
                holder = parse_json(self._file.read_bytes())
            except FileNotFoundError:  # the holder has released the lease
                continue
            if holder.get("token") == self._token:  # this process created the lease, but the response was lost
                return
            if holder and not _is_dead(holder):
                break
            with contextlib.suppress(OSError):  # the write fails if another run has taken over the lease
                self._file.write_bytes(self._content(), replacing=found)
                time.sleep(_DOUBT)
                if self._is_mine():
                    return
        self._refuse(holder)

    def start_renewal(self) -> None:
        """Start a thread that renews the lease until `release` is called."""
        self._renewal.start()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL):
            with contextlib.suppress(OSError):  # after a failed request, the next renewal tries again
                found = self._file.stat()  # before the check: if the lease is replaced later, the write below fails
                if not self._is_mine():
                    self._is_lost = True
                    return
                self._file.write_bytes(self._content(), replacing=found)
                self._renewed = time.time()

    def release(self) -> None:
        """Release the lease."""
        self._ended.set()
        self._renewal.join(_PATIENCE)  # a renewal after the removal would create the lease again
        with contextlib.suppress(OSError):
            if self._is_mine():
                self._file.unlink(missing_ok=True)

    def _is_mine(self) -> bool:
        return read_json(self._file).get("token") == self._token

    def _content(self) -> bytes:
        return json_bytes(
            {
                "token": self._token,
                "host": socket.gethostname(),
                "processes_of": _process_namespace(),
                "process": os.getpid(),
                "started": _started(os.getpid()),
                "alive": time.time(),
            }
        )

    def _refuse(self, holder: dict[str, Any]) -> None:
        seconds = time.time() - _number(holder.get("alive"))
        raise BusyError(
            f"another run is using {self._folder}: process {holder.get('process')} on {holder.get('host')}, which last "
            f"renewed its lock {max(0.0, seconds):,.0f} s ago; wait until that run has ended, or choose another output "
            f"(if that run crashed, its lock expires {LEASE:,.0f} s after the last renewal)"
        )


@contextlib.contextmanager
def lease(file: ObjectPath, folder: AnyPath) -> Iterator[Lease]:
    """Hold a lease on a folder during the `with` block.

    Args:
        file: The object that represents the lease.
        folder: The folder to lock. Error messages show it.

    Raises:
        BusyError: Another run holds the lease.
    """
    taken = Lease(file, folder)
    taken.take()
    taken.start_renewal()
    try:
        yield taken
    finally:
        taken.release()


def _is_dead(holder: dict[str, Any]) -> bool:
    """Return whether a lease can be taken over: it expired, or its process ran on this machine and has ended."""
    if time.time() - _number(holder.get("alive")) > LEASE:
        return True
    if holder.get("host") != socket.gethostname() or holder.get("processes_of") != _process_namespace():
        return False
    process = int(_number(holder.get("process")))
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # the process exists and belongs to another user
        pass
    return _started(process) not in (None, holder.get("started"))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _process_namespace() -> str:
    """Return an ID of the current boot and PID namespace; "" if unknown. Compare PIDs only within one ID."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(process: int) -> str | None:
    """Return the start time of a process in clock ticks since boot; None if the process does not exist."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
