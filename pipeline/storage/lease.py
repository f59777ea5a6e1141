"""Locks a folder in an object store by a lease, because object stores have no locks.

A lease is an object, created by a conditional put. The process that holds the lease renews the object regularly.
Another process takes the lease over if the holder died on this machine, or if the object was not renewed for LEASE
seconds.
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

LEASE = 600.0  # seconds without a renewal after which the holder counts as dead
RENEWAL = 60.0  # seconds between renewals
_DOUBT = 1.0  # seconds until a concurrent takeover becomes visible in an object store without conditional writes
_TRIES = 5
_PATIENCE = 10.0  # seconds to wait at release for a renewal in progress


class Lease:
    """A lease that this process holds on a folder, so that no other process writes there."""

    def __init__(self, file: ObjectPath, folder: AnyPath) -> None:
        """Prepare a lease; `take` acquires it.

        Args:
            file: The object that represents the lease.
            folder: The locked folder, for messages.
        """
        self._file, self._folder = file, folder
        self._token = uuid.uuid4().hex
        self._renewed = time.time()
        self._is_lost = False
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True)

    def check(self) -> None:
        """Raise StorageError if another run may have taken the lease over, as while this machine was suspended."""
        if self._is_lost or time.time() - self._renewed > LEASE - RENEWAL:
            raise StorageError(
                f"this run no longer holds {self._folder}, because it did not renew its lease for too long: "
                f"run the same command again once no other run holds it"
            )

    def take(self) -> None:
        """Create the lease, or take it over from a dead holder. Raises BusyError."""
        holder: dict[str, Any] = {}
        for _ in range(_TRIES):
            with contextlib.suppress(FileExistsError):
                self._file.write_bytes(self._content(), create_only=True)
                return
            try:
                found = self._file.stat()  # stat before the read, so that a later replacement is detected
                holder = parse_json(self._file.read_bytes())
            except FileNotFoundError:  # the holder released the lease
                continue
            if holder.get("token") == self._token:  # own lease: the response to an earlier request was lost
                return
            if holder and not _is_dead(holder):
                break
            with contextlib.suppress(OSError):  # another run took the lease over
                self._file.write_bytes(self._content(), replacing=found)
                time.sleep(_DOUBT)
                if self._is_mine():
                    return
        self._refuse(holder)

    def start_renewal(self) -> None:
        """Renew the lease in a thread until `release`."""
        self._renewal.start()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL):
            with contextlib.suppress(OSError):  # an unavailable store is tried again at the next renewal
                found = self._file.stat()  # stat before the check, so that no other lease is overwritten
                if not self._is_mine():
                    self._is_lost = True
                    return
                self._file.write_bytes(self._content(), replacing=found)
                self._renewed = time.time()

    def release(self) -> None:
        """Release the lease."""
        self._ended.set()
        self._renewal.join(_PATIENCE)  # otherwise a late renewal could create the lease again
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
            f"another run holds {self._folder}: process {holder.get('process')} on {holder.get('host')}, last renewed "
            f"{max(0.0, seconds):,.0f} s ago: wait until it has ended (the lease of a dead process ends "
            f"{LEASE:,.0f} s after its last renewal), or give another -o"
        )


@contextlib.contextmanager
def lease(file: ObjectPath, folder: AnyPath) -> Iterator[Lease]:
    """Hold a lease on a folder within the context.

    Args:
        file: The object that represents the lease.
        folder: The locked folder, for messages.

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
    """Return whether the lease expired or its process no longer runs on this machine."""
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
    """Return an id of this boot and PID namespace, within which process ids are unique; "" if unknown."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(process: int) -> str | None:
    """Return the start time of a process in clock ticks since boot; None if there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
