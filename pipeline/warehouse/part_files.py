"""Lets DuckDB read the part files of an archive. `PartFiles` is a read-only file system for DuckDB (fsspec).

DuckDB sees a numbered name for each part file, such as emojob://00000.parquet. So the names contain no character that
DuckDB interprets ([ ] * ? = ~), and DuckDB cannot write a part file.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
from fsspec import AbstractFileSystem

from emojob.pipeline.output.labelled_archive import PartFile
from emojob.pipeline.storage.object_io import Reader
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath

_SCHEME = "emojob"
_MOST_OPEN = 128  # maximum number of open files
_MODIFIED = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


def name_of(number: int) -> str:
    """Return the name for DuckDB of part file `number` of an archive."""
    return f"{_SCHEME}://{number:05d}.parquet"


class PartFiles(AbstractFileSystem):  # type: ignore[misc]
    """A read-only fsspec file system that contains the given files, and nothing else.

    Attributes:
        names: The name of each file for DuckDB, in the order of `files`.
        failed: The first file that could not be read, and the error; None if there was no error.
    """

    cachable = False
    protocol = _SCHEME

    def __init__(self, files: Sequence[PartFile]) -> None:
        super().__init__()
        self.names = list(map(name_of, range(len(files))))
        self.failed: tuple[AnyPath, BaseException] | None = None
        self._files = {name: one.file for name, one in zip(self.names, files, strict=True)}
        self._sizes = {name: one.bytes for name, one in zip(self.names, files, strict=True)}
        self._stats: dict[str, Any] = {}  # os.stat_result or ObjectInfo
        self._opened: OrderedDict[str, _Opened] = OrderedDict()  # the least recently used file first
        self._lock = threading.Lock()

    def register(self, db: duckdb.DuckDBPyConnection) -> None:
        """Make the files readable in a database."""
        db.register_filesystem(self)
        db.execute("SET parquet_metadata_cache = true")

    def named_in(self, message: str) -> list[AnyPath]:
        """Return the files whose names for DuckDB are in a message of DuckDB."""
        return [file for name, file in self._files.items() if name in message]

    def close(self) -> None:
        """Close all files. Call this method after the database is closed."""
        with self._lock:
            while self._opened:
                self._opened.popitem()[1].close()

    # -- the methods that DuckDB calls ---------------------------------------------------------------------------------

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Return the name, size (bytes) and type of a file. Raises FileNotFoundError for an unknown name."""
        name = self._known(path)
        return {"name": name, "size": self._stat(name).st_size, "type": "file"}

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Return whether the file system contains a file."""
        return _full(path) in self._files

    def glob(self, path: str, **kwargs: Any) -> list[str]:
        """Return [path] if the file system contains the file, otherwise []. Wildcards are not supported."""
        return [path] if self.exists(path) else []

    def modified(self, path: str) -> datetime.datetime:
        """Return the same time for all files. DuckDB uses this time to detect changes, but `read` detects them."""
        return _MODIFIED

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> OpenFile:
        """Open a file for reading. Raises PermissionError for any other mode."""
        name = self._known(path)
        if mode != "rb":
            raise PermissionError("part files are read-only")
        return OpenFile(self, name, self._stat(name).st_size)

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Read the bytes of a file from `start` to `stop` (excluded). Several threads may call this method.

        Raises:
            OSError: The file cannot be read, or was replaced since its size was read.
        """
        with self._noting(name), self._open_file(name) as opened:
            return opened.read(start, stop)

    @contextlib.contextmanager
    def _open_file(self, name: str) -> Iterator[_Opened]:
        """Open a file, or use the open file. At most _MOST_OPEN files stay open."""
        with self._lock:
            if name not in self._opened:
                self._opened[name] = _Opened(self._files[name], self._stat(name))
            opened = self._opened[name]
            opened.users += 1
            self._opened.move_to_end(name)
        try:
            yield opened
        finally:
            with self._lock:
                opened.users -= 1
                unused = [one for one in self._opened if not self._opened[one].users]
                for one in unused[: max(0, len(self._opened) - _MOST_OPEN)]:
                    self._opened.pop(one).close()

    def _stat(self, name: str) -> Any:
        if name not in self._stats:
            with self._noting(name):
                stat = self._files[name].stat()
                if stat.st_size != self._sizes[name]:
                    raise OSError(errno.ESTALE, "the file was replaced before emojob read it")
                self._stats[name] = stat
        return self._stats[name]

    def _known(self, path: str) -> str:
        name = _full(path)
        if name not in self._files:
            raise FileNotFoundError(path)
        return name

    @contextlib.contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """Note the first error in `failed`, because DuckDB replaces any error, also KeyboardInterrupt."""
        try:
            yield
        except BaseException as error:
            self.failed = self.failed or (self._files[name], error)
            raise OSError(f"cannot read {name}") from None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path


class OpenFile:
    """A part file that DuckDB reads. DuckDB does not call `close`, so the object holds no open file.

    DuckDB reads a file in several threads: it calls `seek`, then `read`. So each thread has its own position.
    """

    def __init__(self, files: PartFiles, name: str, size: int) -> None:
        self._files, self._name, self._size = files, name, size
        self._position = threading.local()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position of this thread, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}[whence]
        self._position.at = start + offset
        return start + offset

    def tell(self) -> int:
        """Return the position of this thread."""
        return getattr(self._position, "at", 0)

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes at the position of this thread. Fewer bytes mean the end of the file."""
        start = self.tell()
        stop = self._size if size < 0 else min(start + size, self._size)
        data = self._files.read(self._name, start, stop) if start < stop else b""
        self._position.at = start + len(data)
        return data

    def close(self) -> None:
        """Do nothing."""


class _Opened:
    """An open local file or object.

    Attributes:
        users: Number of threads that read the file.
    """

    def __init__(self, file: AnyPath, expected: Any) -> None:
        """Open a file. Raises OSError if the file is not the file of `expected`, the result of `stat`."""
        self.users = 0
        self._reader: Reader | None = None
        self._descriptor = -1
        if isinstance(file, ObjectPath):
            self._reader = file.open(prefetch=False, size=expected.st_size)
            return
        self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(self._descriptor)
        if not os.path.samestat(found, expected) or found.st_mtime_ns != expected.st_mtime_ns:
            self.close()
            raise OSError(errno.ESTALE, "the file was replaced while emojob read it")

    def read(self, start: int, stop: int) -> bytes:
        """Read the bytes from `start` to `stop` (excluded)."""
        if self._reader is not None:
            return self._reader.read_range(start, stop)
        pieces = []
        while start < stop and (piece := os.pread(self._descriptor, stop - start, start)):
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()
        else:
            os.close(self._descriptor)


def _full(path: str) -> str:
    return path if "://" in path else f"{_SCHEME}://{path}"
