"""Lets DuckDB read part files in an object store. `ObjectFiles` is a file system for DuckDB (fsspec)."""

from __future__ import annotations

import datetime
from typing import Any

from fsspec import AbstractFileSystem

from emojob.pipeline.storage.object_store import ObjectPath

_MODIFIED = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


class ObjectFiles(AbstractFileSystem):  # type: ignore[misc]
    """A read-only fsspec file system for the given objects. File sizes are cached."""

    cachable = False

    def __init__(self, paths: list[ObjectPath]) -> None:
        super().__init__()
        self.protocol = paths[0].scheme
        self._paths = {path.key: path for path in paths}
        self._sizes: dict[str, int] = {}

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Return the name, size (bytes) and type of a file. Raises FileNotFoundError for an unknown path."""
        key = self._strip_protocol(path)
        if key not in self._paths:
            raise FileNotFoundError(path)
        if key not in self._sizes:
            self._sizes[key] = self._paths[key].stat().st_size
        return {"name": key, "size": self._sizes[key], "type": "file"}

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Return whether the file exists."""
        return self._strip_protocol(path) in self._paths

    def glob(self, path: str, **kwargs: Any) -> list[str]:
        """Return [path] if the file exists, otherwise []. Wildcards are not supported."""
        return [self._strip_protocol(path)] if self.exists(path) else []

    def modified(self, path: str) -> datetime.datetime:
        """Return the same time for all files. DuckDB uses this time to detect changes, but part files never change."""
        return _MODIFIED

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        """Open a file for reading."""
        key = self._strip_protocol(path)
        if mode != "rb" or key not in self._paths:
            raise PermissionError(path)
        return self._paths[key].open(prefetch=False, size=self.info(path)["size"])

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.partition("://")[2] or path
