"""The bytes of an object in a store: read from anywhere in it, or written to make it."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from emojob.pipeline.storage.object_errors import as_os_errors

AT_ONCE = 32  # requests
_PIECE = 8 << 20  # bytes of one request
_GAP = 64 << 10  # bytes that nobody wants, read along rather than asked around


class Reader(io.RawIOBase):
    """An object, read from anywhere in it. Raises OSError once another object is in its place."""

    def __init__(self, url: str, opened: Callable[[], Any], size: int | None) -> None:
        """opened: makes the client's file; size: where it is known, so that this can wait for the first byte."""
        self._url, self._opened, self._at = url, opened, 0
        self._kept: list[tuple[int, bytes]] = []
        self._opened_file: Any = None
        self.size = int(self._file.size) if size is None else size

    @property
    def _file(self) -> Any:
        if self._opened_file is None:
            with as_os_errors(self._url):
                self._opened_file = self._opened()
        return self._opened_file

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Get these bytes, (first, behind the last) each, in requests at the same time; kept until the next call."""
        self._kept = []
        whole = _joined(ranges)
        pieces = [(at, min(at + _PIECE, stop)) for start, stop in whole for at in range(start, stop, _PIECE)]
        with as_os_errors(self._url), ThreadPoolExecutor(AT_ONCE) as pool:
            fetch = self._file._fetch_range
            found = pool.map(lambda one: fetch(*one), pieces)
            for start, stop in whole:
                data = b"".join(itertools.islice(found, -(-(stop - start) // _PIECE)))
                if len(data) != stop - start:
                    raise OSError(errno.EIO, "the store gave fewer bytes than there are", self._url)
                self._kept.append((start, data))

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """The next bytes, as many as there is room for."""
        wanted = min(len(buffer), max(0, self.size - self._at))
        data = self._found(wanted) if wanted else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _found(self, wanted: int) -> bytes | memoryview:
        for start, data in self._kept:
            if start <= self._at and self._at + wanted <= start + len(data):
                return memoryview(data)[self._at - start :][:wanted]
        with as_os_errors(self._url):
            self._file.seek(self._at)
            read: bytes = self._file.read(wanted)
        return read

    def close(self) -> None:
        """Let go of it."""
        if not self.closed and self._opened_file is not None:
            self._opened_file.close()
        super().close()


class Upload(io.RawIOBase):
    """An object in the making: it is there after `commit`, and not before."""

    def __init__(self, url: str, file: Any) -> None:
        self._url, self._file, self._size = url, file, 0

    def writable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Bytes so far."""
        return self._size

    def write(self, data: Any) -> int:
        """Add bytes."""
        with as_os_errors(self._url):
            self._file.write(data)
        size = memoryview(data).nbytes
        self._size += size
        return size

    def commit(self) -> int:
        """Make it the object; returns its size in bytes."""
        with as_os_errors(self._url):
            try:
                self._file.close()
            except Exception:
                with contextlib.suppress(Exception):
                    self._file.discard()
                raise
        return self._size

    def discard(self) -> None:
        """Drop it, where it was not committed."""
        if not self._file.closed:
            with contextlib.suppress(Exception):  # what stays unfinished in the store is never seen
                self._file.discard()
            self._file.closed = True


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of bytes in order, those that all but touch as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start - joined[-1][1] <= _GAP:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        else:
            joined.append((start, stop))
    return joined
