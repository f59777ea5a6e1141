"""Reads and uploads objects in an object store."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from emojob.pipeline.storage.object_errors import as_os_errors

AT_ONCE = 32  # maximum number of concurrent requests
_PIECE = 8 << 20  # maximum number of bytes per request
_GAP = 64 << 10  # maximum number of bytes between two ranges that are fetched as one range


class Reader(io.RawIOBase):
    """A seekable stream that reads an object. Reading raises OSError if the object was replaced after opening."""

    def __init__(self, url: str, opener: Callable[[], Any], size: int | None) -> None:
        """Create a reader.

        Args:
            url: URL of the object, for error messages.
            opener: Function that opens the object and returns a file object of the object store client.
            size: Size of the object in bytes. If None, the constructor opens the object to get the size. Otherwise
                the first read opens the object.
        """
        self._url, self._opener, self._at = url, opener, 0
        self._fetched: list[tuple[int, bytes]] = []
        self._opened_file: Any = None
        self._opening = threading.Lock()
        self.size = int(self._file.size) if size is None else size

    @property
    def _file(self) -> Any:
        with self._opening:
            if self._opened_file is None:
                with as_os_errors(self._url):
                    self._opened_file = self._opener()
        return self._opened_file

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Fetch byte ranges in concurrent requests. The bytes stay in memory until the next call of `fetch`.

        Args:
            ranges: (start, stop) of each range. The byte at `stop` is excluded.
        """
        self._fetched = []
        merged = _merge(ranges)
        pieces = [(at, min(at + _PIECE, stop)) for start, stop in merged for at in range(start, stop, _PIECE)]
        with as_os_errors(self._url), ThreadPoolExecutor(AT_ONCE) as pool:
            fetch = self._file._fetch_range
            found = pool.map(lambda one: fetch(*one), pieces)
            for start, stop in merged:
                data = b"".join(itertools.islice(found, -(-(stop - start) // _PIECE)))
                if len(data) != stop - start:
                    wrong = f"the object store returned {len(data):,} instead of {stop - start:,} bytes"
                    raise OSError(errno.EIO, f"{wrong}; run the same command again", self._url)
                self._fetched.append((start, data))

    def read_range(self, start: int, stop: int) -> bytes:
        """Read the bytes from `start` to `stop` (excluded). Several threads may call this method at the same time."""
        with as_os_errors(self._url):
            data: bytes = self._file._fetch_range(start, stop)
        return data

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return the new position. `io.IOBase.seek` explains the arguments."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the position of the next byte to read."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes into a buffer, and return how many bytes were read."""
        wanted = min(len(buffer), max(0, self.size - self._at))
        data = self._read_at(wanted) if wanted else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read_at(self, wanted: int) -> bytes | memoryview:
        """Return the next `wanted` bytes. Bytes that `fetch` has fetched are read from memory."""
        for start, data in self._fetched:
            if start <= self._at and self._at + wanted <= start + len(data):
                return memoryview(data)[self._at - start :][:wanted]
        with as_os_errors(self._url):
            self._file.seek(self._at)
            read: bytes = self._file.read(wanted)
        return read

    def close(self) -> None:
        """Close the stream and the file object of the object store client."""
        if not self.closed and self._opened_file is not None:
            self._opened_file.close()
        super().close()


class Upload(io.RawIOBase):
    """A stream that writes an object. The object exists only after `commit`."""

    def __init__(self, url: str, file: Any) -> None:
        self._url, self._file, self._size = url, file, 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self._size

    def write(self, data: Any) -> int:
        """Append bytes, and return how many bytes were appended."""
        with as_os_errors(self._url):
            self._file.write(data)
        size = memoryview(data).nbytes
        self._size += size
        return size

    def commit(self) -> int:
        """Finish the upload, so that the object becomes visible. Return the object size in bytes."""
        with as_os_errors(self._url):
            try:
                self._file.close()
            except Exception:
                with contextlib.suppress(Exception):
                    self._file.discard()
                raise
        return self._size

    def discard(self) -> None:
        """Cancel the upload. Does nothing after `commit`."""
        if not self._file.closed:
            with contextlib.suppress(Exception):  # if `discard` fails, the unfinished upload stays invisible
                self._file.discard()
            self._file.closed = True


def _merge(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sort byte ranges. Merge two ranges if they overlap, or if at most _GAP bytes are between them."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if merged and start - merged[-1][1] <= _GAP:
            merged[-1] = merged[-1][0], max(merged[-1][1], stop)
        else:
            merged.append((start, stop))
    return merged
