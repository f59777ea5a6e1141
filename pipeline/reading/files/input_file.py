"""Data classes for an input file, and for a file that is passed over."""

from __future__ import annotations

from dataclasses import dataclass

from emojob.pipeline.storage.object_store import ObjectInfo
from emojob.pipeline.storage.paths import AnyPath, path_name
from emojob.schemas.errors import DataError


@dataclass(frozen=True)
class InputFile:
    """An input file, a file in a ZIP file, or a sheet of a workbook.

    Attributes:
        path: Absolute path or URL.
        format: Format by the first bytes and the name: parquet, arrow, csv, tsv, txt, jsonl, json, xlsx, or a value of
            --format. The reader may find that the content has another format.
        compression: gzip, zstd, bz2, xz or None. Always None for a Parquet file that is compressed only inside.
        partitions: (key, value) of each key=value folder between the INPUT folder and the file. For
            __HIVE_DEFAULT_PARTITION__, the value is None.
        stored: Size and ETag of an object in an object store; None for a local file.
        member: Name of a file in a ZIP file; None if `path` is not a ZIP file.
        sheet: Name of a sheet of a workbook.
        unpacked: Size in bytes of a file in a ZIP file after decompression; None if `path` is not a ZIP file.
        is_named: Whether the user gave the name of the file, and not of its folder. Only a file that is not named may
            turn out to hold no dialogue, and be passed over.
    """

    path: AnyPath
    format: str
    compression: str | None
    partitions: tuple[tuple[str, str | None], ...] = ()
    stored: ObjectInfo | None = None
    member: str | None = None
    sheet: str | None = None
    unpacked: int | None = None
    is_named: bool = False

    @property
    def name(self) -> str:
        """Absolute path or URL, then the member and the sheet. It identifies the file in later runs."""
        return "/".join([path_name(self.path), *filter(None, (self.member, self.sheet))])

    @property
    def key(self) -> tuple[AnyPath, str | None, str | None]:
        """Value that is equal for two paths to the same file, such as a link and the file itself."""
        return self.path.resolve(), self.member, self.sheet

    @property
    def short_name(self) -> str:
        """Name for messages, without the folder."""
        return "/".join([self.path.name, *filter(None, (self.member, self.sheet))])

    @property
    def size(self) -> int:
        """Size in bytes before decompression; after it for a file in a ZIP file. Raises OSError for a missing file."""
        if self.unpacked is not None:
            return self.unpacked
        return self.stored.st_size if self.stored else self.path.stat().st_size


class UnknownContent(DataError):
    """A text file is neither a table nor a chat.

    Attributes:
        format: json or jsonl if the content is JSON; otherwise "".
    """

    format: str = ""


@dataclass(frozen=True)
class PassedOver:
    """A file of a folder, glob or ZIP file, or a sheet of a workbook, that is not read.

    Attributes:
        name: Name for messages.
        reason: What the file is, such as "an unknown format".
        is_sheet: Whether it is a sheet of a workbook whose other sheets may be read.
    """

    name: str
    reason: str
    is_sheet: bool = False
