"""Defines the names and paths of the files in a labelled archive (OUT)."""

from __future__ import annotations

import re
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
DONE_FILE = f"{STATE_FOLDER}/done"  # in an object store, exists while the work folder is being removed
NIGHTLY_STATE_FILE = f"{STATE_FOLDER}/nightly.json"
NIGHTLY_LOCK_FILE = f"{STATE_FOLDER}/nightly.lock"

#: Folders in OUT for all files other than part files.
STATE_FOLDERS = (STATE_FOLDER, PARTS_FOLDER)

PART_PATTERN = re.compile(r"part-\d{5,}-\d{12,}(-\d+)?\.parquet")
MARKER_PATTERN = re.compile(rf"{PARTS_FOLDER}/part-\d{{5,}}-\d{{12,}}(-\d+)?\.json")


@dataclass(frozen=True)
class PartPaths:
    """Paths of one part file and of the files that belong to it.

    Attributes:
        folder: OUT.
        name: Name of the part file without its suffix.
    """

    folder: AnyPath
    name: str

    @property
    def part(self) -> AnyPath:
        """Path of the part file, which contains the labelled rows."""
        return self.folder / f"{self.name}.parquet"

    @property
    def marker(self) -> AnyPath:
        """Path of the completion marker."""
        return self.folder / PARTS_FOLDER / f"{self.name}.json"

    @property
    def rejects(self) -> AnyPath:
        """Path of the file with the rejected rows. It exists only if rows were rejected."""
        return self.folder / PARTS_FOLDER / f"{self.name}.rejects.parquet"

    def replacement(self) -> PartPaths:
        """Return the paths of a new part that replaces this part. The order of the parts by name does not change."""
        found = PART_NAME.fullmatch(self.name)
        if found is None:
            raise ValueError(f"{self.name} is not the name of a part")
        return PartPaths(self.folder, f"{found[1]}-{int(found[2] or 0) + 1}")


def part_paths(folder: AnyPath, number: int, first_row: int) -> PartPaths:
    """Return the paths of a new part. The parts of an input, sorted by name, are in row order.

    Args:
        folder: OUT.
        number: Number of the input, from 0. It is the first number in the part's name.
        first_row: Number of the part's first row in the input, from 0.
    """
    return PartPaths(folder, f"part-{number:05d}-{first_row:012d}")


def marker_paths(folder: AnyPath, marker: PartMarker) -> PartPaths:
    """Return the paths of the part that a completion marker describes."""
    return PartPaths(folder, Path(marker.part).stem)


def input_number(marker: PartMarker) -> int:
    """Return the number of the part's input: the first number in the part's name."""
    return int(marker.part.split("-")[1])


# -- a single labelled file --------------------------------------------------------------------------------------------


def is_single_file(out: AnyPath) -> bool:
    """Return whether -o names one Parquet file instead of a folder."""
    return out.suffix.lower() == ".parquet" and not out.is_dir()


def work_folder(out: AnyPath) -> AnyPath:
    """Return the folder into which a run writes its parts.

    If OUT is a folder, this is OUT. If OUT is a single file, this is a hidden folder next to the file.
    """
    return out.with_name(f".{out.name}.emojob") if is_single_file(out) else out


def rejects_beside(file: AnyPath) -> AnyPath:
    """Return the path of the file for rejected rows. It is next to the single labelled file."""
    return file.with_name(f"{file.stem}.rejects.parquet")
