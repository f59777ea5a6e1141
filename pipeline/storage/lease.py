"""One run at a time where nothing can be locked: an object in the store that its holder renews while it lives.

It is made only where there is none (a conditional put). The lease of a process that is dead on this machine, or that
nobody renewed for LEASE seconds, is taken over.
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

LEASE = 600.0  # seconds without a sign of life after which a holder is taken for dead
RENEWAL = 60.0  # seconds between signs of life
_DOUBT = 1.0  # seconds in which another that takes the same lease over at the same time is seen, where S3 is not asked
_TRIES = 5
_PATIENCE = 10.0  # seconds for a sign of life that is under way


class Lease:
    """A lease that this process holds."""

    def __init__(self, file: ObjectPath, folder: AnyPath) -> None:
        self._file, self._folder = file, folder
        self._token = uuid.uuid4().hex
        self._renewed = time.time()
        self._is_lost = False
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True)

    def check(self) -> None:
        """Raise StorageError where the lease may be another's by now, as after this machine was asleep."""
        if self._is_lost or time.time() - self._renewed > LEASE - RENEWAL:
            raise StorageError(
                f"this run no longer holds {self._folder}, as it gave the store no sign of life for too long: "
                f"the same command goes on, once no other run holds it"
            )

    def take(self) -> None:
        """Make the lease, or take over one whose holder is dead. Raises BusyError."""
        holder: dict[str, Any] = {}
        for _ in range(_TRIES):
            with contextlib.suppress(FileExistsError):
                self._file.write_bytes(self._content(), create_only=True)
                return
            try:
                there = self._file.stat()  # first, so that what is read now is not replaced by another's unseen
                holder = parse_json(self._file.read_bytes())
            except FileNotFoundError:  # let go of in the meantime
                continue
            if holder.get("token") == self._token:  # it was made, but the answer was lost and the request sent again
                return
            if holder and not _is_dead(holder):
                break
            with contextlib.suppress(OSError):  # another took it over
                self._file.write_bytes(self._content(), replacing=there)
                time.sleep(_DOUBT)
                if self._is_mine():
                    return
        self._refuse(holder)

    def begin(self) -> None:
        """Give signs of life until `release`."""
        self._renewal.start()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL):
            with contextlib.suppress(OSError):  # the store may be back the next time
                there = self._file.stat()  # first, so that another's lease is not written over
                if not self._is_mine():
                    self._is_lost = True
                    return
                self._file.write_bytes(self._content(), replacing=there)
                self._renewed = time.time()

    def release(self) -> None:
        """Let go of it."""
        self._ended.set()
        self._renewal.join(_PATIENCE)  # else it might make the lease anew
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
                "processes_of": _processes_of(),
                "process": os.getpid(),
                "started": _started(os.getpid()),
                "alive": time.time(),
            }
        )

    def _refuse(self, holder: dict[str, Any]) -> None:
        seconds = time.time() - _number(holder.get("alive"))
        raise BusyError(
            f"another run holds {self._folder}: process {holder.get('process')} on {holder.get('host')}, whose last "
            f"sign of life was {max(0.0, seconds):,.0f} s ago: wait until it has ended (a dead one is let go "
            f"{LEASE:,.0f} s after its last), or give another -o"
        )


@contextlib.contextmanager
def lease(file: ObjectPath, folder: AnyPath) -> Iterator[Lease]:
    """Hold `folder` by the object `file`. Raises BusyError where another does."""
    held = Lease(file, folder)
    held.take()
    held.begin()
    try:
        yield held
    finally:
        held.release()


def _is_dead(holder: dict[str, Any]) -> bool:
    if time.time() - _number(holder.get("alive")) > LEASE:
        return True
    if holder.get("host") != socket.gethostname() or holder.get("processes_of") != _processes_of():
        return False
    process = int(_number(holder.get("process")))
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        pass
    return _started(process) not in (None, holder.get("started"))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _processes_of() -> str:
    """What numbers processes here: this start of the machine, and this container."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(process: int) -> str | None:
    """When a process began, in some unit; None where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
