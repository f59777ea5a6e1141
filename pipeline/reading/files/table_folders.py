"""Finds the files of a table in a folder of Delta Lake, Apache Iceberg or Apache Hudi.

Such a folder also contains files that the table no longer contains: their rows were changed or removed. The log of the
table lists the files that count. emojob reads the log of Delta tables (https://github.com/delta-io/delta/blob/master/
PROTOCOL.md), and refuses Iceberg and Hudi.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, list_files, read_file, seekable
from emojob.schemas.errors import DataError, NothingFound
from emojob.schemas.messages import listed

P = TypeVar("P", Path, ObjectPath)

_LOG = "_delta_log"
_VERSION = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10}))?\.parquet")
_NUMBER = re.compile(r"v?(\d+)")  # the version of an Iceberg table, such as v12.metadata.json or 00012-...metadata.json
# Features that do not change which rows a file contains, or which are checked for each file or in the configuration.
_KNOWN_FEATURES = {
    "columnMapping", "deletionVectors", "timestampNtz", "typeWidening", "typeWidening-preview", "v2Checkpoint",
    "vacuumProtocolCheck",
}  # fmt: skip
_SPARK = "spark.read.format({kind!r}).load({path!r}).write.parquet({copy!r})"
_PYICEBERG = (
    "pip install 'pyiceberg[pyarrow]', then python -c \"import pyarrow.parquet as p; from pyiceberg.table import "
    "StaticTable as T; p.write_table(T.from_metadata('{file}').scan().to_arrow(), '{copy}')\""
)


def live_files(paths: Iterable[P]) -> list[P]:
    """Return the paths without the files of a Delta folder that the table does not contain.

    Args:
        paths: Files that were found for an input. Paths in an object store may include the files of the log.

    Raises:
        DataError: A file belongs to a table whose files emojob cannot tell.
        NothingFound: The tables contain none of the files.
        OSError: The log of a table cannot be read.
    """
    files = list(paths)
    tables = _tables(files)
    if not tables:
        return files
    found, live = list[P](), {root: _live(root, kind) for root, kind in tables.items()}
    for path in files:
        root = next((folder for folder in _ancestors(path) if folder in live), None)
        if root is None or _below(path, root) in live[root]:
            found.append(path)
    if not found:
        raise NothingFound(f"{listed(sorted(map(str, tables)))}: the table contains no rows of this input any more")
    return found


def table_format(path: AnyPath) -> str | None:
    """Return the format of the table to which a file or folder belongs: Delta, Iceberg, Hudi; None if there is none."""
    folders = list[AnyPath](_ancestors(path))  # type: ignore[type-var]
    return next(filter(None, map(_kind, [path, *folders])), None)


def _tables(files: Iterable[P]) -> dict[P, str]:
    """Return {folder of a table: format} for the tables to which the files belong."""
    found: dict[P, str] = {}
    seen: set[P] = set()
    for path in files:
        for folder in _ancestors(path):
            if folder in seen:
                break
            seen.add(folder)
            if kind := _kind(folder):
                found[folder] = kind
    return found


def _ancestors(path: P) -> Iterator[P]:
    """Yield the folders that contain a path, from the inside.

    In an object store, each folder costs requests: only the folders up to the first one that is not named key=value or
    data are yielded.
    """
    while path != path.parent:
        path = path.parent
        yield path
        if isinstance(path, ObjectPath) and "=" not in path.name and path.name != "data":
            return


def _kind(folder: AnyPath) -> str | None:
    if (folder / _LOG).is_dir():
        return "Delta"
    if (folder / ".hoodie").is_dir():
        return "Hudi"
    metadata = folder / "metadata"
    is_iceberg = metadata.is_dir() and any(name.endswith(".metadata.json") for name in list_files(metadata, ()))
    return "Iceberg" if is_iceberg else None


def _below(path: AnyPath, root: AnyPath) -> str:
    return str(path)[len(str(root)) + 1 :]


def _live(root: AnyPath, kind: str) -> set[str]:
    """Return the paths of the live files of a table, relative to `root`."""
    if kind == "Delta":
        return _delta_files(root)
    raise _refused(root, kind, "its folder also contains files with removed rows")


def _refused(root: AnyPath, kind: str, reason: str) -> DataError:
    copy = f"{root.name}.parquet"
    if kind == "Iceberg":
        names = [name for name in list_files(root / "metadata", ()) if name.endswith(".metadata.json")]
        newest = max(names, key=lambda name: int((_NUMBER.match(name) or [0, 0])[1]))
        how = _PYICEBERG.format(file=root / "metadata" / newest, copy=copy)
    else:
        how = "in Spark: " + _SPARK.format(kind=kind.lower(), path=str(root), copy=copy)
    return DataError(
        f"{root} is a table of {kind}, which emojob cannot read: {reason}; write a copy ({how}), and give {copy}"
    )


# -- the log of a Delta table ------------------------------------------------------------------------------------------


def _delta_files(root: AnyPath) -> set[str]:
    """Return the paths of the live files of a Delta table, relative to `root`. Raises DataError if they are unclear."""
    try:
        added = _replayed(root)
    except (ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        raise DataError(
            f"{root / _LOG} cannot be read ({type(error).__name__}): copy the log again from its source"
        ) from error
    return {_checked(root, path, add) for path, add in added.items()}


def _replayed(root: AnyPath) -> dict[str, Mapping[str, Any]]:
    """Return {path: action `add`} of the newest version of a Delta table."""
    names = list(list_files(root / _LOG, ()))
    versions = {int(match[1]): name for name in names if (match := _VERSION.fullmatch(name))}
    newest = max(versions, default=-1)
    start, parts = _checkpoint(names)
    if all(version in versions for version in range(newest + 1)) and versions:
        start, parts = -1, []
    elif not parts or any(version not in versions for version in range(start + 1, newest + 1)):
        raise _refused(root, "Delta", "its log is incomplete, or has checkpoints of version 2")
    added: dict[str, Mapping[str, Any]] = {}
    for action in _actions(root, parts, [versions[version] for version in range(start + 1, newest + 1)]):
        if action.get("protocol"):
            _check_protocol(root, action["protocol"])
        if action.get("metaData"):
            _check_configuration(root, dict(action["metaData"].get("configuration") or {}))
        if action.get("remove"):
            added.pop(action["remove"]["path"], None)
        if action.get("add"):
            added[action["add"]["path"]] = action["add"]
    return added


def _checkpoint(names: Iterable[str]) -> tuple[int, list[str]]:
    """Return (version, names of the files) of the newest complete checkpoint; (-1, []) if there is none."""
    found: dict[int, list[str]] = {}
    sizes: dict[int, int] = {}
    for name in sorted(names):
        if match := _CHECKPOINT.fullmatch(name):
            found.setdefault(int(match[1]), []).append(name)
            sizes[int(match[1])] = int(match[2] or 1)
    whole = [version for version, parts in found.items() if len(parts) == sizes[version]]
    return (max(whole), found[max(whole)]) if whole else (-1, [])


def _actions(root: AnyPath, parts: Iterable[str], logs: Iterable[str]) -> Iterator[dict[str, Any]]:
    for name in parts:
        with pq.ParquetFile(seekable(root / _LOG / name)) as parquet:
            wanted = [column for column in ("protocol", "metaData", "add") if column in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    for name in logs:
        for line in read_file(root / _LOG / name).splitlines():
            if line.strip():
                yield json.loads(line)


def _check_protocol(root: AnyPath, protocol: Mapping[str, Any]) -> None:
    unknown = sorted({*(protocol.get("readerFeatures") or ())} - _KNOWN_FEATURES)
    if unknown or protocol["minReaderVersion"] > 3:
        what = (
            f"the features {listed(unknown)}" if unknown else f"version {protocol['minReaderVersion']} of the protocol"
        )
        raise _refused(root, "Delta", f"it needs {what}")


def _check_configuration(root: AnyPath, configuration: Mapping[str, Any]) -> None:
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        raise _refused(root, "Delta", "the columns have other names in the files (column mapping)")


def _checked(root: AnyPath, path: str, add: Mapping[str, Any]) -> str:
    """Return the path of a live file. Raises DataError if the file does not contain exactly the rows of the table."""
    name = unquote(path)
    if add.get("deletionVector"):
        raise _refused(root, "Delta", "rows are removed without a change of the files (deletion vectors)")
    if "://" in name or name.startswith("/"):
        raise _refused(root, "Delta", "its files are in other folders")
    if any(part.startswith(("_", ".")) for part in name.split("/")):
        raise _refused(root, "Delta", "names of files or folders begin with _ or a dot, like files to skip")
    folders = {unquote(one.partition("=")[0]) for one in name.split("/")[:-1] if "=" in one}
    if not {*dict(add.get("partitionValues") or {})} <= folders:
        raise _refused(root, "Delta", "the names of its folders lack the partition columns")
    if not (root / name).is_file():
        raise DataError(f"{root / name} is missing, but the log of the Delta table lists it: copy the table again")
    return name
