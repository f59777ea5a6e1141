"""Locks a folder in an object store with a lease, because object stores have no locks.

A lease is an object in the object store:

- To acquire the lease, a process creates the object. The request fails if the object exists.
- To renew the lease, the process rewrites the object every RENEWAL seconds.
- If the lease is not renewed for LEASE seconds, the lease expires. Then another process can acquire the lease.
- If the process that holds the lease ends, another process on the same machine can acquire the lease immediately.
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

LEASE = 600.0  # seconds from the last renewal until the lease expires
RENEWAL = 60.0  # seconds between renewals
_DOUBT = 1.0  # seconds between replacing an old lease and checking that no other process has replaced the lease
_TRIES = 5
_PATIENCE = 10.0  # maximum number of seconds that `release` waits for a renewal in progress


class Lease:
    """A lease on a folder. Other emojob processes do not write to the folder while this process holds the lease."""

    def __init__(self, file: ObjectPath, folder: AnyPath) -> None:
        """Prepare a lease. Call `take` to acquire the lease.

        Args:
            file: Path of the lease object.
            folder: The folder to lock, for error messages.
        """
        self._file, self._folder = file, folder
        self._token = uuid.uuid4().hex
        self._renewed = time.time()
        self._is_lost = False
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True)

    def check(self) -> None:
        """Raise StorageError if the lease may have been lost, for example because this machine was suspended."""
        if self._is_lost or time.time() - self._renewed > LEASE - RENEWAL:
            raise StorageError(
                f"this run lost its lock on {self._folder}, because the lock was not renewed in time: make sure that "
                "no other run is writing to this folder, then run the same command again"
            )

    def take(self) -> None:
        """Acquire the lease. Raises BusyError if another run holds the lease."""
        holder: dict[str, Any] = {}
        for _ in range(_TRIES):
            with contextlib.suppress(FileExistsError):
                self._file.write_bytes(self._content(), create_only=True)
                return
            try:
                found = self._file.stat()  # on S3, the write below fails if the object changes after this line
                holder = parse_json(self._file.read_bytes())
            except FileNotFoundError:  # the holder has released the lease
                continue
            if holder.get("token") == self._token:  # this process created the lease, but received no response
                return
            if holder and not _is_dead(holder):
                break
            with contextlib.suppress(OSError):  # on S3, the write fails if another run has replaced the lease
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
                found = self._file.stat()  # on S3, the write below fails if the object changes after this line
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
            f"another run is using {self._folder}: wait until process {holder.get('process')} on {holder.get('host')} "
            "has ended, or choose another output; if that process crashed, run the same command again in "
            f"{max(0.0, LEASE - seconds):,.0f} s"
        )


@contextlib.contextmanager
def lease(file: ObjectPath, folder: AnyPath) -> Iterator[Lease]:
    """Hold a lease on a folder during the `with` block.

    Args:
        file: Path of the lease object.
        folder: The folder to lock, for error messages.

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
    """Return whether the lease has expired, or belongs to a process of this machine that has ended."""
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
    """Return an ID for the current boot and PID namespace; "" if unknown.

    The PIDs of two processes can be compared only if this function returns the same value in both processes.
    """
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
