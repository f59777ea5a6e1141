"""Creates the view `rejects`: the rows that a run could not read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.output.labelled_archive import LabelledArchive, PartFile
from emojob.pipeline.output.layout import REJECTS_FILE, rejects_beside
from emojob.pipeline.storage.paths import seekable
from emojob.pipeline.warehouse.sql_text import literal
from emojob.schemas.columns import REJECTS

_COMMENT = "One row: a row that could not be read, with its input, its number in the input, the reason, and its text."
_NONE = "SELECT NULL::VARCHAR AS input, NULL::BIGINT AS position, NULL::VARCHAR AS reason, NULL::VARCHAR AS raw WHERE "


def rejects_of(archive: LabelledArchive) -> list[PartFile]:
    """Return the file with the rejected rows of an archive; [] if there is none. A link is no such file."""
    file = archive.path / REJECTS_FILE if archive.path.is_dir() else rejects_beside(archive.path)
    if (isinstance(file, Path) and (file.is_symlink() or not file.is_file())) or not file.exists():
        return []
    return [PartFile(file, None, file.stat().st_size)]


def is_masked(archive: LabelledArchive) -> bool:
    """Return whether the texts of an archive are masked or dropped."""
    privacy = archive.run.get("privacy", {})
    return bool(privacy.get("mask_pii") or privacy.get("drop_text"))


def create_rejects(db: duckdb.DuckDBPyConnection, found: list[PartFile], names: list[str], copy: bool = False) -> None:
    """Create the view `rejects`.

    Args:
        db: The database.
        found: Result of `rejects_of`.
        names: Names of these files for DuckDB.
        copy: Whether to create a table with a copy of the rows.
    """
    query, is_readable = f"{_NONE} false", True
    if found:
        query = f"SELECT input, position, reason, raw FROM read_parquet([{', '.join(map(literal, names))}])"  # noqa: S608 - literals
        try:
            is_readable = pq.read_schema(seekable(found[0].file)).names == REJECTS.names
        except (OSError, pa.ArrowException):
            is_readable = False
        if not is_readable:  # the other views stay readable
            query = f"{_NONE} error('the file with the rejected rows is damaged; run `emojob score` again')"
    kind = "TABLE" if copy and is_readable else "VIEW"
    db.execute(f"CREATE {kind} rejects AS {query}")
    db.execute(f"COMMENT ON {kind} rejects IS {literal(_COMMENT)}")
