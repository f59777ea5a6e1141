"""OUT: the folder of a labelled archive, held by one run at a time, and what is complete in it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from emojob.pipeline.output.journal import JOURNAL, Exchange, read_journal
from emojob.pipeline.output.parts import PartPaths
from emojob.pipeline.privacy.policy import NOTHING
from emojob.pipeline.reading.dataset import Source
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, listed, read_all, remove_all, seekable
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import OUT_FORMAT, Counts, PartMarker

_PART = re.compile(r"part-\d{5,}-\d{12,}(-\d+)?\.parquet")
_MARKER = re.compile(r"_emojob/parts/part-\d{5,}-\d{12,}(-\d+)?\.json")
_RUN = "_emojob/run.json"
_STATE = ("_emojob", "_emojob/parts")  # folders in OUT


class ArchiveFolder:
    """A labelled archive that this run holds. Made by `open_output`."""

    def __init__(self, folder: AnyPath, check: Callable[[], None] = lambda: None) -> None:
        """check: raises StorageError where OUT may be another run's by now; asked before anything is changed."""
        self.folder = folder
        self.state = folder / "_emojob"
        self.markers: list[PartMarker] = []
        self.exchange, self._has_journal = Exchange(), False
        self.ensure_lock_held = check

    # -- what was there before ---------------------------------------------------------------------------------

    def read_markers(self) -> None:
        """Read the completion markers, leaving out those that are damaged or whose part is not there as it was.

        Raises OutputError where they were written by a newer emojob.
        """
        self.markers, self.exchange = [], Exchange()
        there, aside = self._there(), set[str]()
        self._has_journal = JOURNAL in there
        names = [name for name in sorted(there) if name in (_RUN, JOURNAL) or _MARKER.fullmatch(name)]
        names.sort(key=lambda name: name != JOURNAL)  # first, as it says which markers count
        for name, content in zip(names, read_all([self.folder / name for name in names]), strict=True):
            plain = atomic.parse_json(content)
            if isinstance(plain.get("format"), int) and plain["format"] > OUT_FORMAT:
                raise OutputError(
                    f"{self.folder} was written by a newer emojob (format {plain['format']}, this one knows "
                    f"{OUT_FORMAT}): use that version, or give another -o"
                )
            if name == JOURNAL:
                self.exchange = read_journal(content)
                aside = {*self.exchange.replaced, *self.exchange.replacements}
                for stem, new in self.exchange.replacements.items():
                    self._take(stem, new, there)
            elif name != _RUN and Path(name).stem not in aside:
                self._take(Path(name).stem, plain, there)

    def _take(self, stem: str, plain: dict[str, Any], there: dict[str, int]) -> None:
        place = PartPaths(self.folder, stem)
        marker = place.marker_of(plain, there.get(place.part.name))
        self.markers += [marker] if marker else []

    def run(self) -> dict[str, Any]:
        """The last run's run.json; {} where there is none."""
        return atomic.read_json(self.state / "run.json")

    def check(
        self,
        fingerprint: str,
        model: str,
        labels: tuple[str, ...],
        text_column: str,
        conversation_column: str | None,
        prefix: str,
        privacy: dict[str, Any],
    ) -> None:
        """Refuse to go on with what does not match the parts in place. Raises OutputError."""
        if not self.markers:
            return
        before = self.run()
        others = {marker.fingerprint for marker in self.markers} - {fingerprint}
        if others:
            then = before.get("model")
            then = then if isinstance(then, dict) else {}
            raise OutputError(
                f"{self.folder} was labelled with another model ({then.get('name', 'unknown')}, "
                f"{', '.join(sorted(others))}; labels {_words(then.get('labels'))}) than this one ({model}, "
                f"{fingerprint}; labels {' '.join(labels)}): "
                f"give another -o, the same model and --max-length, or --fresh"
            )
        values = {"text_column": text_column, "conversation_column": conversation_column, "prefix": prefix}
        for option, now in values.items():
            then_value = before.get(option, now)
            if then_value != now:
                raise OutputError(
                    f"{self.folder} was labelled with --{option.replace('_', '-')} {then_value!r}, now it is {now!r}: "
                    f"give another -o, the same value, or --fresh"
                )
        ensure_same_privacy(str(self.folder), privacy, before.get("privacy"))

    # -- planning ----------------------------------------------------------------------------------------------

    def forget_all(self) -> None:
        """Begin again: remove every part and marker of ours."""
        self.ensure_lock_held()
        there = self._there()
        ours = [name for name in there if name in (_RUN, JOURNAL) or _MARKER.fullmatch(name)]
        remove_all([self.folder / name for name in ours])  # first, as a part without a marker counts for nothing
        remove_all([self.folder / name for name in filter(_PART.fullmatch, there)])
        self.markers = []
        self.sweep()

    def inputs_progress(self, sources: Sequence[Source], fresh: bool = False) -> list[InputProgress]:
        """How far each input is. Stale are its parts where it has changed since. fresh: as if there were no parts."""
        mine: dict[str, list[PartMarker]] = {source.file.name: [] for source in sources}
        for marker in [] if fresh else self.markers:
            if marker.input in mine:
                mine[marker.input].append(marker)
        numbers = {} if fresh else {marker.input: int(marker.part.split("-")[1]) for marker in self.markers}
        taken = set(numbers.values())
        free = (number for number in itertools.count() if number not in taken)
        return [
            _input_progress(source, numbers[name] if name in numbers else next(free), mine[name])
            for source in sources
            for name in [source.file.name]
        ]

    def committed(self, marker: PartMarker) -> None:
        """Take note of a part that this run completed."""
        self.markers.append(marker)

    def sweep(self) -> None:
        """Remove what a run that was cut off left behind: files without a marker, and temporary ones."""
        self.ensure_lock_held()
        complete = {Path(marker.part).stem for marker in self.markers}
        unfinished = []
        for name in self._there():
            folder, _, own = name.rpartition("/")
            if folder not in ("", *_STATE):
                continue
            is_parts = _PART.fullmatch(own) if not folder else folder == _STATE[1] and own.startswith("part-")
            is_temporary = own.endswith(".tmp") and own.startswith(".part-" if not folder else ".")
            if is_temporary or (is_parts and own.split(".")[0] not in complete):
                unfinished.append(self.folder / name)
        remove_all(unfinished)

    def finish_journal(self) -> None:
        """Tidy up behind an exchange of parts: write its markers, bring run.json up to date, remove what is gone."""
        if not self._has_journal:
            return
        self.ensure_lock_held()
        for name, plain in self.exchange.replacements.items():
            atomic.write_json(PartPaths(self.folder, name).marker, plain)
        if self.exchange.markers:
            self._recount()
        places = [PartPaths(self.folder, name) for name in self.exchange.replaced]
        remove_all([place.marker for place in places])
        remove_all([file for place in places for file in (place.part, place.rejects)])
        (self.folder / JOURNAL).unlink(missing_ok=True)
        self.exchange, self._has_journal = Exchange(), False

    def _recount(self) -> None:
        """Bring run.json up to date with the markers."""
        run = self.run()
        given = run.get("inputs")
        named = given if isinstance(given, list) else []
        inputs = {one.get("name") for one in named if isinstance(one, dict)}
        counts = Counts()
        for marker in self.markers:
            if marker.input in inputs:
                counts.add(marker.counts)
        if run:
            self.write_run({**run, "counts": counts.told()})

    def _there(self) -> dict[str, int]:
        """{name: bytes} of the files in OUT; whatever a user put there beside ours is not ours to touch."""
        return listed(self.folder, _STATE)

    # -- writing down ------------------------------------------------------------------------------------------

    def write_run(self, run: dict[str, Any]) -> None:
        """Write run.json."""
        self.ensure_lock_held()
        atomic.write_json(self.state / "run.json", {"format": 0, **run} | {"format": OUT_FORMAT})

    def write_rejects(self) -> None:
        """Put the parts' rejects together in rejects.parquet; no such file where nothing was rejected."""
        self.ensure_lock_held()
        place = self.state / "rejects.parquet"
        places = [PartPaths(self.folder, Path(marker.part).stem) for marker in self.markers if marker.counts.rejected]
        files = sorted(place.rejects for place in places)
        if not files:
            place.unlink(missing_ok=True)
            return
        with atomic.draft(place) as draft, pq.ParquetWriter(draft.sink, REJECTS, compression="zstd") as writer:
            for file in files:
                writer.write_table(pq.read_table(seekable(file), schema=REJECTS))

    def remove(self, markers: Sequence[PartMarker]) -> None:
        """Remove parts: their markers first, for a part without one counts for nothing."""
        self.ensure_lock_held()
        places = [PartPaths(self.folder, Path(marker.part).stem) for marker in markers]
        remove_all([place.marker for place in places])
        remove_all([file for place in places for file in (place.part, place.rejects)])
        removed = {marker.part for marker in markers}
        self.markers = [marker for marker in self.markers if marker.part not in removed]


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
    """Hold OUT for this run, making it where it does not exist.

    Raises OutputError where the folder is not ours, BusyError where another run holds it.
    """
    ensure_ours(folder)
    was_there = folder.exists()
    if isinstance(folder, Path):
        (folder / "_emojob" / "parts").mkdir(parents=True, exist_ok=True)
    with lock(folder / "_emojob" / "lock", folder) as check:
        output = ArchiveFolder(folder, check)
        output.read_markers()
        output.finish_journal()
        try:
            yield output
        finally:
            if isinstance(folder, Path):
                _leave_no_empty(folder, was_there)


def _leave_no_empty(folder: Path, was_there: bool) -> None:
    """Remove the beginnings of an OUT in which the run came to nothing: no part, no run.json."""
    state = folder / "_emojob"
    if not (state / "lock").exists() or any(one.name not in ("lock", "parts") for one in state.iterdir()):
        return
    with contextlib.suppress(OSError):  # it holds something after all
        (state / "parts").rmdir()
        (state / "lock").unlink()
        state.rmdir()
        if not was_there:
            folder.rmdir()


def ensure_same_privacy(place: str, now: Mapping[str, Any], before: object) -> None:
    """Raise OutputError where personal data in OUT was treated otherwise. before: what its run.json says of it."""
    then = {**NOTHING, **before} if isinstance(before, dict) else NOTHING
    for name, value in now.items():
        if value != then[name]:
            option = f"--{name.replace('_', '-').removesuffix('s')}"
            raise OutputError(
                f"{place} was labelled with {option} {_shown(then[name])}, now it is {_shown(value)}: "
                f"give another -o, the same option, or --fresh"
            )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "on" if value is True else "off" if value is False else str(value or "none")


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "unknown"


def ensure_ours(folder: AnyPath) -> None:
    """Raise OutputError where OUT is something that is not ours."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"-o {folder} is a file: give a folder, or a file name that ends in .parquet")
    if (
        folder.is_dir()
        and not is_ours(folder)
        and any(folder.below() if isinstance(folder, ObjectPath) else folder.iterdir())
    ):
        raise OutputError(f"-o {folder} is not empty and no labelled archive: give a new or an empty folder")


def is_ours(folder: AnyPath) -> bool:
    """Whether a folder is a labelled archive, or the beginning of one."""
    return (folder / "_emojob").is_dir()
