"""Defines the names and paths of the files in a labelled archive (OUT)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import PART_NAME, STATE_FOLDER, PartMarker

#: Paths relative to OUT.
PARTS_FOLDER = f"{STATE_FOLDER}/parts"
RUN_FILE = f"{STATE_FOLDER}/run.json"
REJECTS_FILE = f"{STATE_FOLDER}/rejects.parquet"
JOURNAL_FILE = f"{STATE_FOLDER}/exchange.json"
LOCK_FILE = f"{STATE_FOLDER}/lock"
DONE_FILE = f"{STATE_FOLDER}/done"  # exists while a work folder in an object store is being removed
ARCHIVE_FILE = f"{STATE_FOLDER}/archive.json"
DERIVED_FOLDER = f"{STATE_FOLDER}/derived"  # records of the files that were made from the rows of the archive
NIGHTLY_STATE_FILE = f"{STATE_FOLDER}/nightly.json"
NIGHTLY_LOCK_FILE = f"{STATE_FOLDER}/nightly.lock"

#: Files in OUT/_emojob that describe the archive.
STATE_FILES = {
    RUN_FILE,
    REJECTS_FILE,
    JOURNAL_FILE,
    LOCK_FILE,
    DONE_FILE,
    ARCHIVE_FILE,
    NIGHTLY_STATE_FILE,
    NIGHTLY_LOCK_FILE,
}

#: Folders in OUT for emojob's own files, such as run.json. The part files are directly in OUT.
STATE_FOLDERS = (STATE_FOLDER, PARTS_FOLDER)

PART_PATTERN = re.compile(r"part-\d{5,}-\d{12,}(-\d+)?\.parquet")
MARKER_PATTERN = re.compile(rf"{PARTS_FOLDER}/part-\d{{5,}}-\d{{12,}}(-\d+)?\.json")

#: Completion markers and rejected rows of parts, relative to OUT.
OF_PART_PATTERN = re.compile(rf"{PARTS_FOLDER}/part-\d{{5,}}-\d{{12,}}(-\d+)?\.(json|rejects\.parquet)")

#: Temporary files that earlier versions of emojob left when they were killed, relative to OUT.
EARLIER_TEMPORARY_PATTERN = re.compile(
    r"\.part-\d{5,}-\d{12,}(-\d+)?\.parquet(\.[0-9a-f]{8})?\.tmp"
    rf"|{PARTS_FOLDER}/\.part-\d{{5,}}-\d{{12,}}(-\d+)?\.(json|rejects\.parquet)(\.[0-9a-f]{{8}})?\.tmp"
    rf"|{STATE_FOLDER}/\.((run|exchange|nightly)\.json|rejects\.parquet)\.tmp"
)


def is_state(name: str) -> bool:
    """Return whether a path relative to OUT is run.json, the journal file or a completion marker."""
    return name in (RUN_FILE, JOURNAL_FILE) or bool(MARKER_PATTERN.fullmatch(name))


@dataclass(frozen=True)
class PartPaths:
    """Paths of a part file, its completion marker and its rejected rows.

    Attributes:
        folder: OUT.
        name: Name of the part file without .parquet.
    """

    folder: AnyPath
    name: str

    @property
    def part(self) -> AnyPath:
        """Path of the part file: a Parquet file with labelled rows."""
        return self.folder / f"{self.name}.parquet"

    @property
    def marker(self) -> AnyPath:
        """Path of the completion marker."""
        return self.folder / PARTS_FOLDER / f"{self.name}.json"

    @property
    def rejects(self) -> AnyPath:
        """Path of the rejected rows. The file exists only if rows were rejected."""
        return self.folder / PARTS_FOLDER / f"{self.name}.rejects.parquet"

    def replacement(self) -> PartPaths:
        """Return the paths of a new part that replaces this part.

        In a list sorted by name, the new part has the position of this part.
        """
        found = PART_NAME.fullmatch(self.name)
        if found is None:
            raise ValueError(f"{self.name} is not the name of a part")
        return PartPaths(self.folder, f"{found[1]}-{int(found[2] or 0) + 1}")


def part_paths(folder: AnyPath, number: int, first_row: int, attempt: int = 1) -> PartPaths:
    """Return the paths of a new part. If the parts of an input are sorted by name, they are in row order.

    After the first attempt, a name ends with a random number. So a worker that is considered dead, but still writes,
    cannot overwrite the parts of its successor.

    Args:
        folder: OUT.
        number: Number of the input (from 0). This is the first number in the part's name.
        first_row: Number (from 0) of the part's first row in the input. This is the second number in the part's name.
        attempt: Number of the attempt, from 1 (see `PartMarker.attempt`).
    """
    name = f"part-{number:05d}-{first_row:012d}"
    return PartPaths(folder, name if attempt == 1 else f"{name}-{10**8 + secrets.randbelow(9 * 10**8)}")


def marker_paths(folder: AnyPath, marker: PartMarker) -> PartPaths:
    """Return the paths of the part that a completion marker describes."""
    return PartPaths(folder, Path(marker.part).stem)


def input_number(marker: PartMarker) -> int:
    """Return the number of the part's input: the first number in the part's name."""
    return int(marker.part.split("-")[1])


# -- a single labelled file --------------------------------------------------------------------------------------------


def is_single_file(out: AnyPath) -> bool:
    """Return whether -o names a single Parquet file, not a folder."""
    return out.suffix.lower() == ".parquet" and not out.is_dir()


def work_folder(out: AnyPath) -> AnyPath:
    """Return the folder for the parts of a run: OUT, or a hidden folder next to OUT if OUT is a single file."""
    return out.with_name(f".{out.name}.emojob") if is_single_file(out) else out


def derived_folder(out: AnyPath) -> AnyPath:
    """Return the folder for the records of derived files: in OUT, or a hidden folder next to a single labelled file.

    A derived file is a file that was made from the rows of the archive, such as a report.
    """
    out = out.resolve()
    return out / DERIVED_FOLDER if out.is_dir() else out.with_name(f".{out.name}.derived")


def rejects_beside(file: AnyPath) -> AnyPath:
    """Return the path for the rejected rows of a single labelled file."""
    return file.with_name(f"{file.stem}.rejects.parquet")
