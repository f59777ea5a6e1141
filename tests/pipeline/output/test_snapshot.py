"""Which parts an archive has, while another command changes the archive."""

import json
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from emojob.pipeline.output import journal, snapshot
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.layout import JOURNAL_FILE, PartPaths, part_paths
from emojob.pipeline.output.parts import read_marker
from emojob.pipeline.output.snapshot import read_snapshot
from emojob.pipeline.storage import atomic, paths
from emojob.schemas.errors import BusyError
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_part

PARTS, ROWS = 4, 10


@pytest.fixture
def out(tmp_path) -> Path:
    """An archive of four parts."""
    folder = tmp_path / "out"
    for i in range(PARTS):
        write_part(folder, table_of([utterance("기쁨")] * ROWS, labels=DEFAULT_LABELS), first_row=i * ROWS)
    return folder


def rewrite(folder: Path) -> None:
    """Replace all parts, as `emojob forget` does."""
    with open_output(folder) as output:
        new = {}
        for marker in output.markers:
            old = PartPaths(folder, marker.part.removesuffix(".parquet"))
            atomic.write_bytes(old.replacement().part, old.part.read_bytes())
            new[old.name] = replace(marker, part=old.replacement().part.name)
        journal.write_journal(folder, new)
        output.read_markers()
        output.finish_journal()


def states(folder: Path, monkeypatch, change) -> list[Path]:
    """Copies of OUT before `change`, and after each of its operations on files."""
    found: list[Path] = []

    def keep() -> None:
        found.append(folder.with_name(f"state{len(found):03d}"))
        shutil.copytree(folder, found[-1])

    def then_keep(function):
        def wrapped(*args):
            result = function(*args)
            keep()
            return result

        return wrapped

    keep()
    with monkeypatch.context() as patch:
        patch.setattr(paths, "_remove", then_keep(paths._remove))
        patch.setattr(atomic, "commit", then_keep(atomic.commit))
        change(folder)
    keep()
    return found


def seen(folder: Path) -> set[str]:
    output = ArchiveFolder(folder)
    output.read_markers()
    return {marker.part for marker in output.markers}


def at_any_time(link: Path, found: list[Path], monkeypatch, chance: random.Random):
    """Let `link` point to later and later states while its files are listed and read."""
    at = chance.randrange(len(found))

    def go_on() -> None:
        nonlocal at
        at = min(len(found) - 1, at + chance.choice([0, 0, 0, 1, 2, 5, 20]))
        other = link.with_name("other")
        other.unlink(missing_ok=True)
        other.symlink_to(found[at])
        other.replace(link)

    def first(function):
        def wrapped(*args):
            go_on()
            return function(*args)

        return wrapped

    go_on()
    monkeypatch.setattr(os, "scandir", first(os.scandir))
    monkeypatch.setattr(paths, "_read", first(paths._read))


@pytest.mark.parametrize("seed", range(60))
def test_a_reader_sees_all_old_or_all_new_parts_while_parts_are_replaced(out, tmp_path, monkeypatch, seed):
    found = states(out, monkeypatch, rewrite)
    old, new = seen(found[0]), seen(found[-1])
    assert (len(old), len(new), len(old & new)) == (PARTS, PARTS, 0)
    with monkeypatch.context() as patch:
        at_any_time(tmp_path / "link", found, patch, random.Random(seed))
        assert seen(tmp_path / "link") in (old, new)


@pytest.mark.parametrize("seed", range(20))
def test_a_reader_sees_complete_parts_only_while_a_run_writes_parts(out, tmp_path, monkeypatch, seed):
    def write(folder: Path) -> None:
        for i in range(PARTS, 2 * PARTS):
            part = write_part(
                tmp_path / "more", table_of([utterance("기쁨")] * ROWS, labels=DEFAULT_LABELS), 0, i * ROWS
            )
            marker = tmp_path / "more/_emojob/parts" / f"{part.stem}.json"
            atomic.write_bytes(folder / part.name, part.read_bytes())
            atomic.write_bytes(folder / "_emojob/parts" / marker.name, marker.read_bytes())

    found = states(out, monkeypatch, write)
    names = sorted(seen(found[-1]))
    with monkeypatch.context() as patch:
        at_any_time(tmp_path / "link", found, patch, random.Random(seed))
        some = sorted(seen(tmp_path / "link"))
    assert some == names[: len(some)]
    assert len(some) >= PARTS


def test_what_a_killed_run_left_is_ignored(out):
    kept = seen(out)
    shutil.copy(out / min(kept), out / "part-00007-000000000000.parquet")  # without a completion marker
    (out / "_emojob/parts/part-00008-000000000000.json").write_text("{}")  # without a part
    (out / JOURNAL_FILE).write_text("{")
    assert seen(out) == kept


def test_an_archive_that_changes_all_the_time_is_an_error_that_says_so(out, monkeypatch):
    def look(folder, before):
        looks.append(found(folder, before))
        looks[-1].unmatched["part-00000-000000000000"] = len(looks)
        return looks[-1]

    found, looks = snapshot._look, []
    monkeypatch.setattr(snapshot, "_look", look)
    with pytest.raises(BusyError, match=r"is changing .* all the time"):
        read_snapshot(out)


def test_overlapping_parts_are_reported_apart(out):
    stale = part_paths(out, 0, 5)
    write_part(out, table_of([utterance("기쁨")] * ROWS, labels=DEFAULT_LABELS), first_row=5)
    found = read_snapshot(out)
    assert len(found.markers) == PARTS
    assert found.uncounted == [read_marker(stale)]


def test_the_attempt_of_a_marker_is_checked(out):
    marker = out / "_emojob/parts/part-00000-000000000000.json"
    for attempt, is_valid in ((3, True), (0, False), ("2", False), (None, True)):
        marker.write_text(json.dumps(json.loads(marker.read_text()) | {"attempt": attempt}))
        assert ("part-00000-000000000000.parquet" in seen(out)) == is_valid
