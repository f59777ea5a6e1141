"""Keeps the columns with a role (conversation, time, speaker) that the user chose for the reports of an archive.

Readers take these columns from run.json. If a later run names other columns, run.json is updated, even if all rows are
already labelled. If a later run names no columns, the columns of the earlier run stay.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emojob.pipeline.output.archive_folder import open_output
from emojob.pipeline.output.parts import open_parquet, open_writer, row_groups
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.columns import PAIR_MARK, find_roles
from emojob.schemas.options import ScoreOptions

_ROLES = ("time", "conversation", "speaker")


def with_earlier_roles(options: ScoreOptions, before: Mapping[str, Any]) -> ScoreOptions:
    """Return the options, with the columns of the run before for roles without a column.

    Args:
        options: Options of this run.
        before: Contents of run.json of the run before; {} if there was none.
    """
    earlier = _columns_of(before)
    columns: dict[str, Any] = {key: value or earlier[key] for key, value in _given(options).items()}
    return replace(options, **columns)


def role_notes(before: Mapping[str, Any], options: ScoreOptions, names: Sequence[str]) -> list[str]:
    """Return messages for the user about columns that differ from the run before.

    Args:
        before: Contents of run.json of the run before; {} if there was none.
        options: Options of this run.
        names: Names of the columns of the inputs. Without a given column, the run before chose one by its name.
    """
    earlier = _columns_of(before)
    found = find_roles(names, before.get("text_column"))
    by_name = {
        "time_column": PAIR_MARK.join(found.times),
        "conversation_column": found.conversation,
        "speaker_column": found.speaker,
    }
    then = {key: earlier[key] or by_name[key] for key in earlier}
    changes = {key: value for key, value in _given(options).items() if value and before and value != then[key]}
    return [
        f"the {key.replace('_', ' ')} of the archive is now {value} (before: {_then(earlier[key], by_name[key])})"
        for key, value in changes.items()
    ]


def _then(given: str | None, by_name: str | None) -> str:
    return given or (f"{by_name}, found by its name" if by_name else "none")


def with_roles(run: Mapping[str, Any], options: ScoreOptions) -> dict[str, Any]:
    """Return the contents of run.json, with the columns that the options of a later run name."""
    earlier = run.get("options")
    return {**run, "options": {**(earlier if isinstance(earlier, dict) else {}), **_given(options)}}


def update_file(file: AnyPath, work: AnyPath, options: ScoreOptions) -> dict[str, Any]:
    """Write the columns that the options name into the metadata of a single labelled file.

    The rows stay the same. The file is written again, because Parquet metadata cannot be changed in place.

    Args:
        file: The single labelled file.
        work: Folder for the part files of the file.
        options: Options of this run.

    Returns:
        The new contents of run.json.
    """
    # `emojob forget` locks the folder of a local file, and `emojob score` locks the folder of the part files
    other = lock_folder(file.parent) if isinstance(file, Path) else contextlib.nullcontext()
    with limit_permissions([file]), other, open_output(work, is_work_folder=True):
        with open_parquet(file) as parquet:
            schema = parquet.schema_arrow
        about = json.loads(schema.metadata[b"emojob"])
        about["run"] = with_roles(about["run"], options)
        schema = schema.with_metadata({**schema.metadata, b"emojob": json.dumps(about, ensure_ascii=False).encode()})
        with (
            atomic.draft(file) as draft,
            open_writer(draft.sink, schema) as writer,
        ):
            for table in row_groups(file):
                writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=max(1, len(table)))
    run: dict[str, Any] = about["run"]
    return run


def _given(options: ScoreOptions) -> dict[str, str | None]:
    return {f"{role}_column": getattr(options, f"{role}_column") for role in _ROLES}


def _columns_of(run: Mapping[str, Any]) -> dict[str, str | None]:
    """Return {option: column} for the roles, from the contents of run.json."""
    options = run.get("options")
    found = {f"{role}_column": (options if isinstance(options, dict) else {}).get(f"{role}_column") for role in _ROLES}
    return {key: value if isinstance(value, str) and value else None for key, value in found.items()}
