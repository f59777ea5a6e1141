"""Locks a folder in an object store with a lease, because object stores have no locks.

A lease is an object in the object store:

- To acquire the lease, a process creates the object. The request fails if the object exists.
- To renew the lease, the process rewrites the object every RENEWAL seconds, with a new counter.
- If the object exists, another process watches the object. If the object changes, its holder is alive. If the object
  does not change for LEASE seconds, the holder is dead, and the other process replaces the object.
- If the process that holds the lease ends, another process on the same machine can acquire the lease immediately.

No process compares its clock with the clock of another machine. Each process measures LEASE with a clock that cannot be
set, and that also counts while the machine is suspended.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from emojob.pipeline.storage.atomic import json_bytes, parse_json, read_json
from emojob.pipeline.storage.object_store import ObjectInfo, ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import BusyError, StorageError

LEASE = 600.0  # seconds without a change until the lease expires
RENEWAL = 20.0  # seconds between renewals
_MARGIN = 120.0  # seconds before the end of the lease at which the holder stops writing
_POLL = 5.0  # seconds between two looks at the lease of another run
_DOUBT = 1.0  # seconds between replacing an old lease and checking that no other process has replaced the lease
_LONG_DOUBT = 10.0  # the same in an object store in which the last writer wins
_TRIES = 5
_PATIENCE = 10.0  # maximum number of seconds that `release` waits for a renewal in progress

Note = Callable[[str], None]


class Lease:
    """A lease on a folder. Other emojob processes do not write to the folder while this process holds the lease."""

    def __init__(self, file: ObjectPath, folder: AnyPath, note: Note = lambda text: None) -> None:
        """Prepare a lease. Call `take` to acquire the lease.

        Args:
            file: Path of the lease object.
            folder: The folder to lock, for messages.
            note: callback(message), called if the lease of another run must be watched.
        """
        self._file, self._folder, self._note = file, folder, note
        self._token = uuid.uuid4().hex
        self._renewals = itertools.count()
        self._renewed = _now()
        self._is_lost = False
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True)

    def check(self) -> None:
        """Raise StorageError if the lease may have been lost, for example because this machine was suspended."""
        if self._is_lost or _now() - self._renewed > LEASE - _MARGIN:
            raise StorageError(
                f"this run lost its lock on {self._folder}, because the lock was not renewed in time: make sure that "
                "no other run is writing to this folder, then run the same command again"
            )

    def take(self) -> None:
        """Acquire the lease. If another machine holds the lease, wait until it is clear whether the holder is alive.

        Raises BusyError if another run holds the lease.
        """
        for _ in range(_TRIES):
            self._renewed = _now()  # the lease begins at the latest now, so it is taken before the request
            with contextlib.suppress(FileExistsError):
                self._file.write_bytes(self._content(), create_only=True)
                return
            try:
                found, content = self._look()
                holder = parse_json(content)
                if holder.get("token") == self._token:  # this process created the lease, but received no response
                    return
                if not _has_ended(holder):
                    self._wait_until_expired(found, content)
            except FileNotFoundError:  # the holder has released the lease
                continue
            if self._replace(found):
                return
        self._refuse({})

    def _look(self) -> tuple[ObjectInfo, bytes]:
        """Return (version, content) of the lease object. Raises FileNotFoundError."""
        found = self._file.stat()  # the version comes first: on S3, `_replace` fails if the object changes after this
        return found, self._file.read_bytes()

    def _wait_until_expired(self, found: ObjectInfo, content: bytes) -> None:
        """Return if the lease object does not change for LEASE seconds.

        Raises:
            BusyError: The lease object has changed, so its holder is alive.
            FileNotFoundError: The holder has released the lease.
        """
        holder = parse_json(content)
        if holder and _is_here(holder):  # a running process of this machine
            self._refuse(holder)
        begun, has_noted = _now(), False
        while _now() - begun < LEASE:
            if not has_noted:
                has_noted = True
                self._note(
                    f"{self._folder} is locked by {_shown(holder)}: waiting to see whether that run is alive. If it "
                    f"crashed, this run starts in {LEASE:,.0f} s"
                )
            _pause(min(_POLL, LEASE))
            if self._look() != (found, content):
                self._refuse(holder)

    def _replace(self, found: ObjectInfo) -> bool:
        """Replace the lease of a dead holder. Return False if another run was faster."""
        self._renewed = _now()
        with contextlib.suppress(OSError):  # on S3, the write fails if another run has replaced the lease
            self._file.write_bytes(self._content(), replacing=found)
            _pause(_DOUBT if self._file.has_conditional_writes else _LONG_DOUBT)
            return self._is_mine()
        return False

    def start_renewal(self) -> None:
        """Start a thread that renews the lease until `release` is called."""
        self._renewal.start()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL):
            with contextlib.suppress(OSError):  # after a failed request, the next renewal tries again
                begun = _now()
                found = self._file.stat()  # on S3, the write below fails if the object changes after this line
                if not self._is_mine():
                    self._is_lost = True
                    return
                self._file.write_bytes(self._content(), replacing=found)
                self._renewed = begun

    def release(self) -> None:
        """Release the lease."""
        self._ended.set()
        self._renewal.join(_PATIENCE)  # a renewal after the removal would create the lease again
        with contextlib.suppress(OSError, StorageError):
            self.check()  # another run may hold a lost lease
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
                "renewals": next(self._renewals),
                "alive": time.time(),  # only earlier versions of emojob read this time
            }
        )

    def _refuse(self, holder: dict[str, Any]) -> None:
        raise BusyError(
            f"another run is using {self._folder}: wait until {_shown(holder)} has ended, then run the same command "
            "again"
        )


@contextlib.contextmanager
def lease(file: ObjectPath, folder: AnyPath, note: Note = lambda text: None) -> Iterator[Lease]:
    """Hold a lease on a folder during the `with` block.

    Args:
        file: Path of the lease object.
        folder: The folder to lock, for messages.
        note: callback(message), called if the lease of another run must be watched.

    Raises:
        BusyError: Another run holds the lease.
    """
    taken = Lease(file, folder, note)
    taken.take()
    taken.start_renewal()
    try:
        yield taken
    finally:
        taken.release()


def _now() -> float:
    """Return seconds of a clock that nobody can set. The clock also counts while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _pause(seconds: float) -> None:
    time.sleep(seconds)


def _shown(holder: dict[str, Any]) -> str:
    process, host = holder.get("process"), holder.get("host")
    return f"process {process} on {host}" if process and host else "that run"


def _is_here(holder: dict[str, Any]) -> bool:
    """Return whether the holder of a lease runs or ran on this machine, so that its PID can be checked."""
    here = _process_namespace()
    return bool(here) and (holder.get("host"), holder.get("processes_of")) == (socket.gethostname(), here)


def _has_ended(holder: dict[str, Any]) -> bool:
    """Return whether a lease belongs to a process of this machine that has ended."""
    if not _is_here(holder):
        return False
    process = holder.get("process")
    if not isinstance(process, int) or process <= 0:  # the lease object is damaged
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # the process exists and belongs to another user
        pass
    return _started(process) not in (None, holder.get("started"))


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
