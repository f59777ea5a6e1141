"""Locks the folder of a labelled archive (OUT) for a run, and reads, adds and removes parts.

A part is a Parquet file with labelled rows. When a part is complete, a completion marker (a JSON file) is written to
OUT/_emojob/parts. A part without a completion marker is ignored.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from emojob.pipeline.output import layout
from emojob.pipeline.output.compatibility import (
    LabelSettings,
    ensure_archive_or_empty,
    ensure_no_links,
    ensure_same_names,
    ensure_same_settings,
)
from emojob.pipeline.output.identity import (
    count_removal,
    count_replacement,
    ensure_identity,
    names_of_hidden,
)
from emojob.pipeline.output.journal import Journal
from emojob.pipeline.output.layout import PartPaths, input_number, marker_paths
from emojob.pipeline.output.parts import has_rejects, is_part, read_schemas, schema_name
from emojob.pipeline.output.rejects import join_rejects
from emojob.pipeline.output.snapshot import read_snapshot
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.reading.source import Source
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.paths import AnyPath, list_files, make_folder, remove_all
from emojob.pipeline.storage.temporary import sweep
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import OUT_FORMAT, STATE_FOLDER, Counts, PartMarker

_STATE_FILES = (layout.RUN_FILE, layout.JOURNAL_FILE, layout.REJECTS_FILE)


class ArchiveFolder:
    """The folder of a labelled archive, with the completion markers of the parts.

    To write, call `open_output`, which locks OUT. To read only, create an ArchiveFolder and call `read_markers`.

    Attributes:
        folder: OUT.
        markers: Completion markers of the parts that count (see `output/coverage.py`).
        uncounted: Completion markers of complete parts that do not count. The next run and `emojob forget` remove them.
        ensure_lock_held: callback(), called before every change. The callback raises StorageError if this run may have
            lost the lock on OUT.
    """

    def __init__(self, folder: AnyPath, ensure_lock_held: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.markers: list[PartMarker] = []
        self.uncounted: list[PartMarker] = []
        self.ensure_lock_held = ensure_lock_held
        self._known_inputs: Collection[str] = ()
        self._journal, self._has_journal = Journal(), False

    # -- reading -----------------------------------------------------------------------------------------------

    def read_markers(self, inputs: Iterable[str] | None = None) -> None:
        """Read the completion markers of the parts that count. Raises the same errors as `read_snapshot`.

        Args:
            inputs: Names of the inputs of a run, see `recognize`. None: the names that were given before.
        """
        if inputs is not None:
            self._known_inputs = set(inputs)
        found = read_snapshot(self.folder)
        self.markers, self.uncounted = found.markers, found.uncounted
        self._journal, self._has_journal = found.journal, found.has_journal
        self._show_names()

    def recognize(self, inputs: Iterable[str]) -> None:
        """Show the names of known inputs in the completion markers, also if `emojob forget` has hidden the names.

        Args:
            inputs: Names of the inputs of a run.
        """
        self._known_inputs = set(inputs)
        self._show_names()

    def _show_names(self) -> None:
        given = [marker.input for marker in (*self.markers, *self.uncounted)]
        names = names_of_hidden(self.folder, given, self._known_inputs) if self._known_inputs else {}
        if names:
            self.markers, self.uncounted = (
                [replace(one, input=names.get(one.input, one.input)) for one in some]
                for some in (self.markers, self.uncounted)
            )

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

    def ensure_same_names(self, schema: pa.Schema, inputs: Mapping[str, Sequence[str]]) -> None:
        """Raise OutputError if a column name differs from a name in OUT only in case or Unicode form.

        Args:
            schema: Schema of the part files of this run.
            inputs: {input of this run: names of its columns}. The part files of these inputs are not compared, because
                the run replaces them.
        """
        same = schema_name(schema)
        others = {
            one.columns or one.part: one for one in self.markers if one.input not in inputs and one.columns != same
        }
        schemas = read_schemas([self.folder / one.part for one in others.values()])
        ensure_same_names(self.folder, (name for one in schemas for name in one.names), schema.names, inputs)

    def inputs_progress(self, sources: Sequence[Source], fresh: bool = False) -> list[InputProgress]:
        """Return the progress of each input.

        A stale part does not count as progress, and the run replaces it. A part is stale in each of these cases:

        - The part is in `uncounted`.
        - The input or its encoding has changed since the part was written.
        - An earlier part contains the last row of the input.
        - The file with the rejected rows of the part is missing or damaged.

        Args:
            sources: The inputs.
            fresh: Whether to ignore all existing parts (--fresh).
        """
        mine: dict[str, list[PartMarker]] = {source.file.name: [] for source in sources}
        for marker in [] if fresh else self.markers:
            if marker.input in mine:
                mine[marker.input].append(marker)
        numbers = {} if fresh else {marker.input: input_number(marker) for marker in self.markers}
        taken = {*numbers.values(), *map(input_number, self.uncounted)}
        free = (number for number in itertools.count() if number not in taken)
        found = []
        for source in sources:
            name = source.file.name
            progress = _input_progress(
                self.folder, source, numbers[name] if name in numbers else next(free), mine[name]
            )
            progress.stale.extend(marker for marker in self.uncounted if marker.input == name and not fresh)
            found.append(progress)
        return found

    # -- changing ----------------------------------------------------------------------------------------------

    def remove_all_parts(self) -> None:
        """Remove all parts, all completion markers and run.json (--fresh)."""
        self.ensure_lock_held()
        files = self._files()
        parts = self._our_parts([name for name in files if layout.PART_PATTERN.fullmatch(name)], files)
        if self.markers:
            count_replacement(self.folder)
        # The completion markers are removed first, because a part without a completion marker is ignored.
        remove_all([self.folder / name for name in files if layout.is_state(name)])
        remove_all(parts)
        self.markers, self.uncounted = [], []
        self.sweep()

    def remove_all_files(self) -> None:
        """Remove all files that emojob wrote into OUT. Files that emojob did not write stay."""
        self.remove_all_parts()
        remove_all([self.folder / name for name in self._files() if name in (*_STATE_FILES, layout.ARCHIVE_FILE)])

    def add_marker(self, marker: PartMarker) -> None:
        """Add the completion marker of a new part to `markers`."""
        self.markers.append(marker)

    def remove(self, markers: Sequence[PartMarker], for_good: bool = False) -> None:
        """Remove the given parts, and the parts of the same inputs that do not count.

        Args:
            markers: Completion markers of the parts.
            for_good: Whether the rows are removed permanently (`keep_days`). If false, this run replaces the parts.
        """
        if not markers:
            return
        self.ensure_lock_held()
        inputs = {marker.input for marker in markers}
        names = {marker.part for marker in [*markers, *self.uncounted] if marker.input in inputs}
        count = count_removal if for_good else count_replacement
        count(self.folder)
        _remove_parts([PartPaths(self.folder, Path(name).stem) for name in sorted(names)])
        if for_good:  # a command that read the archive during the removal may have read removed rows
            count(self.folder)
        self.markers = [marker for marker in self.markers if marker.part not in names]
        self.uncounted = [marker for marker in self.uncounted if marker.part not in names]

    def remove_uncounted(self) -> None:
        """Remove the parts that do not count."""
        if self.uncounted:
            self.ensure_lock_held()
            _remove_parts([marker_paths(self.folder, marker) for marker in self.uncounted])
            self.uncounted = []

    def remove_run(self) -> None:
        """Remove run.json. From then on, the workers of the run complete no part (see `ensure_current`)."""
        self.ensure_lock_held()
        remove_all([self.folder / layout.RUN_FILE])

    def sweep(self) -> None:
        """Remove temporary files, parts without a completion marker, and parts that do not count."""
        self.ensure_lock_held()
        self.remove_uncounted()
        if isinstance(self.folder, Path):
            for name in ("", *layout.STATE_FOLDERS):
                sweep(self.folder / name)
        complete, files = {marker_paths(self.folder, marker).name for marker in self.markers}, self._files()
        left = [path for path in files if Path(path).name.split(".")[0] not in complete]
        parts = self._our_parts([path for path in left if layout.PART_PATTERN.fullmatch(path)], files)
        others = [path for path in left if layout.OF_PART_PATTERN.fullmatch(path)]
        earlier = [path for path in files if layout.EARLIER_TEMPORARY_PATTERN.fullmatch(path)]
        remove_all([*parts, *(self.folder / path for path in (*others, *earlier))])

    def _our_parts(self, names: Sequence[str], files: Mapping[str, int]) -> list[AnyPath]:
        """Return the paths of part files that are to be removed.

        Args:
            names: Names of the part files.
            files: All files in OUT.

        Raises:
            OutputError: emojob did not write one of the files.
        """
        paths = [PartPaths(self.folder, name.removesuffix(".parquet")) for name in names]
        for one in paths:
            # A file with a completion marker is emojob's, even if it is damaged.
            if f"{layout.PARTS_FOLDER}/{one.name}.json" not in files and not is_part(one.part):
                raise OutputError(
                    f"{one.part} has the name of a part file, but emojob did not write this file, or it is damaged: "
                    f"move the file out of {self.folder}, then run the same command again"
                )
        return [one.part for one in paths]

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
        count_removal(self.folder)
        remove_all([self.folder / layout.JOURNAL_FILE])
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
        """Write run.json. If the archive has no identity yet, write archive.json, too."""
        self.ensure_lock_held()
        ensure_identity(self.folder)
        atomic.write_json(self.folder / layout.RUN_FILE, {"format": 0, **run} | {"format": OUT_FORMAT})

    def write_rejects(self, without: Sequence[PartMarker] = ()) -> None:
        """Write the rejected rows of all parts to rejects.parquet. Remove rejects.parquet if no rows were rejected.

        Args:
            without: Completion markers of the parts to omit.
        """
        self.ensure_lock_held()
        omitted = {marker.part for marker in without}
        markers = [marker for marker in self.markers if marker.counts.rejected and marker.part not in omitted]
        files = sorted(marker_paths(self.folder, marker).rejects for marker in markers)
        join_rejects(files, self.folder / layout.REJECTS_FILE)


def is_archive_file(name: str) -> bool:
    """Return whether a path relative to OUT is the path of a part, or of a file in OUT/_emojob."""
    patterns = (layout.PART_PATTERN, layout.OF_PART_PATTERN, layout.EARLIER_TEMPORARY_PATTERN)
    known = {*_STATE_FILES, layout.LOCK_FILE, layout.DONE_FILE, layout.ARCHIVE_FILE}
    return name in known or any(pattern.fullmatch(name) for pattern in patterns)


def _remove_parts(parts: Sequence[PartPaths]) -> None:
    """Remove parts. Completion markers are removed first, because a part without a completion marker is ignored."""
    remove_all([paths.marker for paths in parts])
    remove_all([file for paths in parts for file in (paths.part, paths.rejects)])


def _input_progress(folder: AnyPath, source: Source, number: int, markers: list[PartMarker]) -> InputProgress:
    counts, missing, stale = Counts(), list[Span](), list[PartMarker]()
    next_row, ended = 0, False
    for marker in sorted(markers, key=lambda one: one.first_row):
        same = (marker.input_bytes, marker.input_sha256) == (source.size, source.sha256)
        if (
            not same
            or (marker.encoding, marker.dialect) != (source.encoding, source.reading_key)
            or ended
            or not has_rejects(marker_paths(folder, marker), marker)
        ):
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
def open_output(
    folder: AnyPath, note: Callable[[str], None] = lambda text: None, is_work_folder: bool = False
) -> Iterator[ArchiveFolder]:
    """Lock OUT for this run, and read the completion markers.

    If OUT does not exist, it is created. If the run writes nothing, the new folder is removed.

    Args:
        folder: OUT.
        note: callback(message), called if this run must wait for the lock (only in an object store).
        is_work_folder: Whether the folder is removed if it contains no results, even if it existed before.

    Raises:
        OutputError: The folder is neither empty nor a labelled archive, or a folder in it is a link.
        BusyError: Another run has locked OUT.
    """
    ensure_archive_or_empty(folder)
    ensure_no_links(folder)
    existed = folder.exists()
    make_folder(folder)  # also syncs the name of OUT
    with lock(folder / layout.LOCK_FILE, folder, note) as ensure_lock_held:
        make_folder(folder / layout.PARTS_FOLDER)  # after the lock, because another run may just have removed it
        output = ArchiveFolder(folder, ensure_lock_held)
        output.read_markers()
        output.finish_journal()
        try:
            yield output
        finally:
            if isinstance(folder, Path):
                _remove_if_unused(folder, existed and not is_work_folder)


def _remove_if_unused(folder: Path, existed: bool) -> None:
    """If OUT contains no results, remove OUT/_emojob, and also OUT if this run created OUT."""
    state, parts, lock_file = (folder / one for one in (STATE_FOLDER, layout.PARTS_FOLDER, layout.LOCK_FILE))
    identity, derived = folder / layout.ARCHIVE_FILE, folder / layout.DERIVED_FOLDER
    if not lock_file.exists() or any(one not in (lock_file, parts, identity, derived) for one in state.iterdir()):
        return
    if existed and derived.is_dir() and any(derived.iterdir()):  # reports of earlier rows may still exist
        return
    if any(one.name.startswith(("part-", ".part-")) for one in folder.iterdir()):  # a worker may still be writing
        return
    with contextlib.suppress(OSError):  # rmdir fails if OUT/_emojob/parts is not empty
        parts.rmdir()
        shutil.rmtree(derived, ignore_errors=True)
        identity.unlink(missing_ok=True)
        lock_file.unlink()
        state.rmdir()
        if not existed:
            folder.rmdir()
