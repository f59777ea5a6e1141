"""OUT during a run: what counts, what is removed, what stays."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.journal import write_journal
from emojob.pipeline.output.layout import JOURNAL_FILE, part_paths
from emojob.pipeline.output.parts import read_marker
from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.resume import Span
from emojob.pipeline.reading.source import Source
from emojob.pipeline.storage.temporary import temporary_name
from emojob.schemas.errors import BusyError, OutputError, StorageError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.manifest import OUT_FORMAT, PartMarker
from tests.archives import table_of, utterance, write_part


def add_part(out: Path, number: int = 0, first_row: int = 0, rows: int = 10, **values: object) -> PartMarker:
    """Write a complete part. values: changes of its marker."""
    write_part(out, table_of([utterance("기쁨")] * rows, labels=DEFAULT_LABELS), number, first_row)
    paths = part_paths(out, number, first_row)
    marker = replace(read_marker(paths), input=f"/logs/{number}.csv", **values)
    paths.marker.write_text(json.dumps(marker.as_json()))
    return marker


def source(number: int, **values: object) -> Source:
    """Return the input that `add_part` names."""
    found = Source(
        InputFile(Path(f"/logs/{number}.csv"), "csv", None), 1, "", table_of([utterance("기쁨")]).schema, "utf-8"
    )
    return replace(found, **values)


def read(out: Path) -> ArchiveFolder:
    folder = ArchiveFolder(out)
    folder.read_markers()
    return folder


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


class TestOpenOutput:
    """Locking OUT."""

    def test_a_run_without_a_result_leaves_no_folder(self, tmp_path):
        with open_output(tmp_path / "out") as output:
            assert output.markers == []
            assert output.run() == {}
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_folder_of_the_user_stays(self, tmp_path):
        with open_output(tmp_path):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_run_json_or_a_part_keeps_the_folder(self, tmp_path):
        with open_output(tmp_path / "a") as output:
            output.write_run({"state": "running"})
        assert read(tmp_path / "a").run() == {"format": OUT_FORMAT, "state": "running"}
        with open_output(tmp_path / "b"):
            add_part(tmp_path / "b")
        assert len(read(tmp_path / "b").markers) == 1

    def test_a_second_run_is_refused(self, tmp_path):
        with open_output(tmp_path / "out"), pytest.raises(BusyError), open_output(tmp_path / "out"):
            pass

    def test_a_foreign_folder_is_refused_and_unchanged(self, tmp_path):
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(OutputError, match="nor a labelled archive"), open_output(tmp_path):
            pass
        assert files(tmp_path) == {"notes.txt"}


class TestMarkers:
    """Which parts count."""

    def test_complete_parts_count_and_damaged_markers_do_not(self, tmp_path):
        add_part(tmp_path)
        add_part(tmp_path, first_row=10)
        part_paths(tmp_path, 0, 10).marker.write_text("{")
        assert [marker.first_row for marker in read(tmp_path).markers] == [0]

    def test_a_newer_format_is_refused(self, tmp_path):
        add_part(tmp_path)
        marker = part_paths(tmp_path, 0, 0).marker
        marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": OUT_FORMAT + 1}))
        with pytest.raises(OutputError, match=f"format {OUT_FORMAT + 1}"):
            read(tmp_path)

    def test_a_journal_replaces_parts_at_once(self, tmp_path):
        old, kept = add_part(tmp_path), add_part(tmp_path, first_row=10)
        paths = part_paths(tmp_path, 0, 0)
        new = paths.replacement()
        new.part.write_bytes(paths.part.read_bytes())
        write_journal(tmp_path, {paths.name: replace(old, part=new.part.name)})
        assert {marker.part for marker in read(tmp_path).markers} == {new.part.name, kept.part}
        with open_output(tmp_path) as output:  # cleans up
            assert {marker.part for marker in output.markers} == {new.part.name, kept.part}
        assert not paths.part.exists()
        assert not paths.marker.exists()
        assert not (tmp_path / JOURNAL_FILE).exists()
        assert new.marker.exists()

    def test_run_json_is_updated_when_a_journal_is_finished(self, tmp_path):
        old = add_part(tmp_path)
        with open_output(tmp_path) as output:
            output.write_run({"inputs": [{"name": "/logs/0.csv"}], "counts": {}})
        paths = part_paths(tmp_path, 0, 0)
        new = paths.replacement()
        new.part.write_bytes(paths.part.read_bytes())
        write_journal(tmp_path, {paths.name: replace(old, part=new.part.name)})
        with open_output(tmp_path) as output:
            assert output.run()["counts"]["labelled"] == 10


class TestProgress:
    """How far each input is."""

    def test_an_input_without_parts_is_missing_and_gets_a_free_number(self, tmp_path):
        add_part(tmp_path, number=0)
        first, second = read(tmp_path).inputs_progress([source(0), source(5)])
        assert (first.number, first.complete, first.next_row, first.counts.read) == (0, True, 10, 10)
        assert (second.number, second.missing, second.next_row) == (1, [Span(0)], 0)

    def test_gaps_between_parts_are_missing(self, tmp_path):
        add_part(tmp_path, first_row=10, last=False)
        add_part(tmp_path, first_row=30, last=False)
        (progress,) = read(tmp_path).inputs_progress([source(0)])
        assert progress.missing == [Span(0, 10), Span(20, 30), Span(40)]
        assert progress.next_row == 40

    @pytest.mark.parametrize(
        "now", [{"size": 2}, {"sha256": "ff"}, {"encoding": "cp949"}, {"dialect": Dialect(";", is_usual=False)}]
    )
    def test_parts_of_a_changed_input_are_stale(self, tmp_path, now):
        marker = add_part(tmp_path)
        (progress,) = read(tmp_path).inputs_progress([source(0, **now)])
        assert (progress.stale, progress.missing, progress.counts.read) == ([marker], [Span(0)], 0)

    def test_a_part_that_overlaps_another_one_is_stale(self, tmp_path):
        add_part(tmp_path, first_row=0, last=False)
        overlapping = add_part(tmp_path, first_row=5)
        (progress,) = read(tmp_path).inputs_progress([source(0)])
        assert (progress.stale, progress.missing) == ([overlapping], [Span(10)])

    def test_a_fresh_run_ignores_all_parts(self, tmp_path):
        add_part(tmp_path, number=3)
        (progress,) = read(tmp_path).inputs_progress([source(3)], fresh=True)
        assert (progress.number, progress.missing, progress.stale) == (0, [Span(0)], [])


class TestChanging:
    """What is removed, and what is not."""

    def test_sweep_removes_the_remains_of_a_killed_run_and_nothing_of_the_user(self, tmp_path):
        add_part(tmp_path)
        kept = files(tmp_path) | {
            "notes.txt", ".cache.tmp", "sub/part-00000-000000000000.parquet", "_emojob/mine.json", ".part-notes.tmp",
            "_emojob/.mine.tmp", "_emojob/parts/part-notes.txt", ".part-00000-000000000000.parquet.mine.tmp",
        }  # fmt: skip
        remains = {
            "part-00001-000000000000.parquet",
            ".part-00001-000000000500.parquet.ab12cd34.tmp",
            temporary_name("part-00001-000000000500.parquet"),
            f"_emojob/parts/{temporary_name('part-00001-000000000500.json')}",
            "_emojob/.run.json.tmp",
            "_emojob/parts/part-00001-000000000000.json",
            "_emojob/parts/part-00001-000000000000.rejects.parquet",
        }
        (tmp_path / "sub").mkdir()
        for name in (kept | remains) - files(tmp_path):
            (tmp_path / name).write_text("{}")
        read(tmp_path).sweep()
        assert files(tmp_path) == kept

    def test_a_part_file_that_emojob_did_not_write_is_refused_and_stays(self, tmp_path):
        add_part(tmp_path)
        strange = tmp_path / "part-00001-000000000000.parquet"
        for write in (lambda: pq.write_table(pa.table({"mine": [1]}), strange), lambda: strange.write_bytes(b"mine")):
            write()
            before = files(tmp_path), strange.read_bytes()
            for change in (ArchiveFolder.sweep, ArchiveFolder.remove_all_parts):
                with pytest.raises(OutputError, match="move the file out of"):
                    change(read(tmp_path))
            assert (files(tmp_path), strange.read_bytes()) == before
        strange.unlink()
        strange.symlink_to(tmp_path / "part-00000-000000000000.parquet")
        with pytest.raises(OutputError, match="did not write"):
            read(tmp_path).sweep()
        assert strange.is_symlink()

    def test_all_parts_are_removed_and_nothing_of_the_user(self, tmp_path):
        add_part(tmp_path)
        (tmp_path / "notes.txt").write_text("mine")
        with open_output(tmp_path) as output:
            output.write_run({})
            output.remove_all_parts()
            assert output.markers == []
        assert files(tmp_path) == {"notes.txt"}

    def test_removed_parts_no_longer_count(self, tmp_path):
        first, second = add_part(tmp_path), add_part(tmp_path, first_row=10)
        output = read(tmp_path)
        output.remove([first])
        assert output.markers == read(tmp_path).markers == [second]
        assert not part_paths(tmp_path, 0, 0).part.exists()

    def test_nothing_is_changed_after_the_lock_is_lost(self, tmp_path):
        marker = add_part(tmp_path)

        def lost() -> None:
            raise StorageError("lost")

        output = ArchiveFolder(tmp_path, lost)
        output.read_markers()
        before = files(tmp_path)
        for change in (
            output.remove_all_parts,
            output.sweep,
            output.write_rejects,
            lambda: output.write_run({}),
            lambda: output.remove([marker]),
        ):
            with pytest.raises(StorageError, match="lost"):
                change()
        assert files(tmp_path) == before
