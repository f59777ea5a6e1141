"""The parts of an archive in a store as a file system for DuckDB, which asks for sizes and times again and again."""

from __future__ import annotations

import datetime
from typing import Any

from fsspec import AbstractFileSystem

from emojob.pipeline.storage.object_store import ObjectPath

_UNCHANGED = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)  # parts are looked at once, when they are opened


class Shelf(AbstractFileSystem):  # type: ignore[misc]
    """Files to be read whose sizes are asked for once; nothing else is seen."""

    cachable = False

    def __init__(self, places: list[ObjectPath]) -> None:
        super().__init__()
        self.protocol = places[0].scheme
        self._places = {place.key: place for place in places}
        self._sizes: dict[str, int] = {}

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Name, size and type of a file. Raises FileNotFoundError where it is none of these."""
        key = self._strip_protocol(path)
        if key not in self._places:
            raise FileNotFoundError(path)
        if key not in self._sizes:
            self._sizes[key] = self._places[key].stat().st_size
        return {"name": key, "size": self._sizes[key], "type": "file"}

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether it is one of these files."""
        return self._strip_protocol(path) in self._places

    def glob(self, path: str, **kwargs: Any) -> list[str]:
        """The file of this name: names are no patterns here."""
        return [self._strip_protocol(path)] if self.exists(path) else []

    def modified(self, path: str) -> datetime.datetime:
        """Always the same."""
        return _UNCHANGED

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        """Open a file for reading."""
        key = self._strip_protocol(path)
        if mode != "rb" or key not in self._places:
            raise PermissionError(path)
        return self._places[key].open(prefetch=False, size=self.info(path)["size"])

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.partition("://")[2] or path
