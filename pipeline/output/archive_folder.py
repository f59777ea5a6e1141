"""Locks the folder of a labelled archive (OUT) for a run, and reads, adds and removes parts.

A part is a Parquet file with labelled rows. When a part is complete, a completion marker (a JSON file) is written to
OUT/_emojob/parts. A part without a completion marker is ignored.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from emojob.pipeline.output import layout
from emojob.pipeline.output.compatibility import LabelSettings, ensure_archive_or_empty, ensure_same_settings
from emojob.pipeline.output.journal import Journal, read_journal
from emojob.pipeline.output.layout import PartPaths, input_number, marker_paths
from emojob.pipeline.output.parts import parse_marker
from emojob.pipeline.reading.dataset import Source
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.paths import AnyPath, list_files, make_folder, read_all, remove_all, seekable
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import OUT_FORMAT, STATE_FOLDER, Counts, PartMarker


class ArchiveFolder:
    """The folder of a labelled archive, with the completion markers of the parts.

    To write, call `open_output`, which locks OUT. To read only, create an ArchiveFolder and call `read_markers`.

    Attributes:
        folder: OUT.
        markers: Completion markers of the parts.
        ensure_lock_held: callback(), called before every change. The callback raises StorageError if this run may have
            lost the lock on OUT.
    """

    def __init__(self, folder: AnyPath, ensure_lock_held: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.markers: list[PartMarker] = []
        self.ensure_lock_held = ensure_lock_held
        self._journal, self._has_journal = Journal(), False

    # -- reading -----------------------------------------------------------------------------------------------

    def read_markers(self) -> None:
        """Read the completion markers. Ignore damaged markers, and markers that do not match their part file.

        Raises:
            OutputError: A newer version of emojob wrote OUT.
        """
        self.markers, self._journal = [], Journal()
        files, skipped = self._files(), set[str]()
        self._has_journal = layout.JOURNAL_FILE in files
        names = [name for name in sorted(files) if _is_state(name)]
        # The journal file is read first, because it names the completion markers to skip.
        names.sort(key=lambda name: name != layout.JOURNAL_FILE)
        for name, content in zip(names, read_all([self.folder / name for name in names]), strict=True):
            plain = atomic.parse_json(content)
            self._ensure_known_format(plain)
            if name == layout.JOURNAL_FILE:
                self._journal = read_journal(content)
                skipped = {*self._journal.replaced, *self._journal.replacements}
                for stem, new in self._journal.replacements.items():
                    self._add_marker(stem, new, files)
            elif name != layout.RUN_FILE and Path(name).stem not in skipped:
                self._add_marker(Path(name).stem, plain, files)

    def _ensure_known_format(self, plain: dict[str, Any]) -> None:
        if isinstance(plain.get("format"), int) and plain["format"] > OUT_FORMAT:
            raise OutputError(
                f"{self.folder} was written by a newer emojob (it has format {plain['format']}, but this emojob reads "
                f"at most {OUT_FORMAT}): update emojob, or give another path with -o"
            )

    def _add_marker(self, stem: str, plain: dict[str, Any], files: dict[str, int]) -> None:
        paths = PartPaths(self.folder, stem)
        marker = parse_marker(paths, plain, files.get(paths.part.name))
        self.markers += [marker] if marker else []

    def run(self) -> dict[str, Any]:
        """Return the contents of run.json; {} if there is no run.json."""
        return atomic.read_json(self.folder / layout.RUN_FILE)

    def _files(self) -> dict[str, int]:
        """Return {path relative to OUT: size in bytes} for the files in OUT, OUT/_emojob and OUT/_emojob/parts."""
        return list_files(self.folder, layout.STATE_FOLDERS)

    # -- planning ----------------------------------------------------------------------------------------------

    def ensure_compatible(self, settings: LabelSettings) -> None:
        """Raise OutputError if the parts in OUT were labelled with other settings."""
        if self.markers:
            fingerprints = {marker.fingerprint for marker in self.markers}
            ensure_same_settings(self.folder, fingerprints, self.run(), settings)

    def inputs_progress(self, sources: Sequence[Source], fresh: bool = False) -> list[InputProgress]:
        """Return the progress of each input.

        A stale part does not count as progress, and the run replaces it. A part is stale in each of these cases:

        - The input or its encoding has changed since the part was written.
        - Rows of the part are also in an earlier part.
        - An earlier part contains the last row of the input.

        Args:
            sources: The inputs.
            fresh: Whether to ignore all existing parts (--fresh).
        """
        mine: dict[str, list[PartMarker]] = {source.file.name: [] for source in sources}
        for marker in [] if fresh else self.markers:
            if marker.input in mine:
                mine[marker.input].append(marker)
        numbers = {} if fresh else {marker.input: input_number(marker) for marker in self.markers}
        taken = set(numbers.values())
        free = (number for number in itertools.count() if number not in taken)
        return [
            _input_progress(source, numbers[name] if name in numbers else next(free), mine[name])
            for source in sources
            for name in [source.file.name]
        ]

    # -- changing ----------------------------------------------------------------------------------------------

    def remove_all_parts(self) -> None:
        """Remove all parts, all completion markers and run.json (--fresh)."""
        self.ensure_lock_held()
        files = self._files()
        # The completion markers are removed first, because a part without a completion marker is ignored.
        remove_all([self.folder / name for name in files if _is_state(name)])
        remove_all([self.folder / name for name in filter(layout.PART_PATTERN.fullmatch, files)])
        self.markers = []
        self.sweep()

    def add_marker(self, marker: PartMarker) -> None:
        """Add the completion marker of a new part to `markers`."""
        self.markers.append(marker)

    def remove(self, markers: Sequence[PartMarker]) -> None:
        """Remove the parts that the given completion markers describe."""
        self.ensure_lock_held()
        _remove_parts([marker_paths(self.folder, marker) for marker in markers])
        removed = {marker.part for marker in markers}
        self.markers = [marker for marker in self.markers if marker.part not in removed]

    def sweep(self) -> None:
        """Remove the files that a killed run left: temporary files, and parts without a completion marker."""
        self.ensure_lock_held()
        complete = {marker_paths(self.folder, marker).name for marker in self.markers}
        unfinished = []
        for path in self._files():
            folder, _, name = path.rpartition("/")
            if folder not in ("", *layout.STATE_FOLDERS):
                continue
            if folder:
                is_of_part = folder == layout.PARTS_FOLDER and name.startswith("part-")
            else:
                is_of_part = bool(layout.PART_PATTERN.fullmatch(name))
            is_temporary = name.endswith(".tmp") and name.startswith("." if folder else ".part-")
            if is_temporary or (is_of_part and name.split(".")[0] not in complete):
                unfinished.append(self.folder / path)
        remove_all(unfinished)

    def finish_journal(self) -> None:
        """If a killed process left a journal file, finish the replacement of parts (see `output/journal.py`).

        Write the new completion markers, update run.json, then remove the replaced parts and the journal file.
        """
        if not self._has_journal:
            return
        self.ensure_lock_held()
        for name, plain in self._journal.replacements.items():
            atomic.write_json(PartPaths(self.folder, name).marker, plain)
        if self._journal.markers:
            self._update_counts()
        _remove_parts([PartPaths(self.folder, name) for name in self._journal.replaced])
        (self.folder / layout.JOURNAL_FILE).unlink(missing_ok=True)
        self._journal, self._has_journal = Journal(), False

    def _update_counts(self) -> None:
        """Update the counts in run.json. A part counts only if run.json lists the input of the part."""
        run = self.run()
        given = run.get("inputs")
        inputs = {one.get("name") for one in given if isinstance(one, dict)} if isinstance(given, list) else set()
        counts = Counts()
        for marker in self.markers:
            if marker.input in inputs:
                counts.add(marker.counts)
        if run:
            self.write_run({**run, "counts": counts.summary()})

    def write_run(self, run: dict[str, Any]) -> None:
        """Write run.json."""
        self.ensure_lock_held()
        atomic.write_json(self.folder / layout.RUN_FILE, {"format": 0, **run} | {"format": OUT_FORMAT})

    def write_rejects(self) -> None:
        """Write the rejected rows of all parts to rejects.parquet. Remove rejects.parquet if no rows were rejected."""
        self.ensure_lock_held()
        joined = self.folder / layout.REJECTS_FILE
        files = sorted(marker_paths(self.folder, marker).rejects for marker in self.markers if marker.counts.rejected)
        if not files:
            joined.unlink(missing_ok=True)
            return
        with atomic.draft(joined) as draft, pq.ParquetWriter(draft.sink, REJECTS, compression="zstd") as writer:
            for file in files:
                writer.write_table(pq.read_table(seekable(file), schema=REJECTS))


def _is_state(name: str) -> bool:
    """Return whether a path in OUT is run.json, the journal file or a completion marker."""
    return name in (layout.RUN_FILE, layout.JOURNAL_FILE) or bool(layout.MARKER_PATTERN.fullmatch(name))


def _remove_parts(parts: Sequence[PartPaths]) -> None:
    """Remove parts. Completion markers are removed first, because a part without a completion marker is ignored."""
    remove_all([paths.marker for paths in parts])
    remove_all([file for paths in parts for file in (paths.part, paths.rejects)])


def _input_progress(source: Source, number: int, markers: list[PartMarker]) -> InputProgress:
    counts, missing, stale = Counts(), list[Span](), list[PartMarker]()
    next_row, ended = 0, False
    for marker in sorted(markers, key=lambda one: one.first_row):
        same = (marker.input_bytes, marker.input_sha256) == (source.size, source.sha256)
        if not same or marker.encoding != source.encoding or marker.first_row < next_row or ended:
            stale.append(marker)
            continue
        if marker.first_row > next_row:
            missing.append(Span(next_row, marker.first_row))
        next_row, ended = marker.stop_row, marker.last
        counts.add(marker.counts)
    if not ended:
        missing.append(Span(next_row))
    return InputProgress(number, missing, next_row, counts, stale)


@contextlib.contextmanager
def open_output(folder: AnyPath) -> Iterator[ArchiveFolder]:
    """Lock OUT for this run, and read the completion markers.

    If OUT does not exist, it is created. If the run writes nothing, the new folder is removed.

    Raises:
        OutputError: The folder is neither empty nor a labelled archive.
        BusyError: Another run has locked OUT.
    """
    ensure_archive_or_empty(folder)
    existed = folder.exists()
    make_folder(folder / layout.PARTS_FOLDER)
    with lock(folder / layout.LOCK_FILE, folder) as ensure_lock_held:
        output = ArchiveFolder(folder, ensure_lock_held)
        output.read_markers()
        output.finish_journal()
        try:
            yield output
        finally:
            if isinstance(folder, Path):
                _remove_if_unused(folder, existed)


def _remove_if_unused(folder: Path, existed: bool) -> None:
    """If OUT/_emojob contains no results, remove OUT/_emojob, and also OUT if this run created OUT."""
    state, parts, lock_file = (folder / one for one in (STATE_FOLDER, layout.PARTS_FOLDER, layout.LOCK_FILE))
    if not lock_file.exists() or any(one not in (lock_file, parts) for one in state.iterdir()):
        return
    with contextlib.suppress(OSError):  # rmdir fails if OUT/_emojob/parts is not empty
        parts.rmdir()
        lock_file.unlink()
        state.rmdir()
        if not existed:
            folder.rmdir()
