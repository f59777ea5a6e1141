"""Inputs that were moved or copied keep their rows: no row is labelled again, and none counts twice."""

import json
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.derived import input_names
from emojob.pipeline.running.dry_run import plan_run
from emojob.pipeline.running.run import Result, score_dataset
from emojob.schemas.errors import DataError, OutputError
from emojob.schemas.options import ModelOptions, ScoreOptions


class Shop:
    """A folder with logs in `logs` and an archive in `out`."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model, self.notes = folder, model, list[str]()
        (folder / "logs").mkdir(parents=True)
        for name in ("a", "b"):
            self.write(f"{name}.csv", [f"{name} {number}" for number in range(20)])

    def write(self, name: str, texts: list[str]) -> None:
        (self.folder / "logs" / name).write_text("text\n" + "".join(f"{text}\n" for text in texts))

    def score(self, given: str = "logs", out: str | None = "out", **options: object) -> Result:
        self.notes = []
        path = None if out is None else self.folder / out
        return score_dataset(
            [str(self.folder / given)], path, ScoreOptions(**options), ModelOptions(model=str(self.model)),
            note=self.notes.append,
        )  # fmt: skip

    def moved(self, name: str) -> "Shop":
        self.folder = self.folder.rename(self.folder.with_name(name))
        return self

    def copied(self, name: str) -> "Shop":
        self.folder = Path(shutil.copytree(self.folder, self.folder.with_name(name)))
        return self

    @property
    def texts(self) -> list[str]:
        return sorted(
            text for file in (self.folder / "out").glob("part-*") for text in pq.read_table(file)["text"].to_pylist()
        )

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs in the completion markers, relative to the folder."""
        archive = ArchiveFolder(self.folder / "out")
        archive.read_markers()
        return sorted(one.input.removeprefix(f"{self.folder}/") for one in archive.markers)


@pytest.fixture
def shop(tmp_path, tiny_model) -> Shop:
    return Shop(tmp_path / "shop", tiny_model)


ALL = sorted(f"{name} {number}" for name in "ab" for number in range(20))


@pytest.mark.parametrize("way", ["moved", "copied"])
def test_a_project_that_was_moved_or_copied_is_not_labelled_again(shop, way):
    shop.score()
    getattr(shop, way)("other")
    assert shop.score().rows_done == 0
    assert "2 moved inputs are recognised" in str(shop.notes)
    assert (shop.texts, shop.inputs) == (ALL, ["logs/a.csv", "logs/b.csv"])
    assert (shop.score().rows_done, shop.notes[1:]) == (0, [])


def test_a_project_may_be_moved_again_and_again(shop):
    shop.score()
    for name in ("second", "third", "fourth"):
        assert shop.moved(name).score().rows_done == 0
    assert shop.texts == ALL


@pytest.mark.parametrize("way", ["moved", "copied"])
def test_a_file_that_changed_in_the_new_place_replaces_its_rows(shop, way):
    shop.score()
    getattr(shop, way)("other").write("a.csv", ["new"])
    shop.score()
    assert shop.texts == sorted([*(text for text in ALL if text.startswith("b")), "new"])


def test_a_new_file_in_the_new_place_is_labelled(shop):
    shop.score()
    shop.moved("other").write("c.csv", ["c"])
    assert shop.score().rows_done == 1
    assert shop.texts == sorted([*ALL, "c"])


def test_a_folder_of_logs_with_another_name_is_recognised_by_its_contents(shop):
    shop.score()
    (shop.folder / "logs").rename(shop.folder / "chats")
    assert shop.score("chats").rows_done == 0
    assert (shop.texts, shop.inputs) == (ALL, ["chats/a.csv", "chats/b.csv"])


def test_a_renamed_file_is_recognised_by_its_contents(shop):
    shop.score()
    (shop.folder / "logs" / "a.csv").rename(shop.folder / "logs" / "z.csv")
    shop.score()
    assert (shop.texts, shop.inputs) == (ALL, ["logs/b.csv", "logs/z.csv"])


def test_of_several_files_with_one_content_each_keeps_its_rows(shop):
    for name in ("c.csv", "d.csv"):
        shop.write(name, ["네"])
    shop.score()
    (shop.folder / "logs").rename(shop.folder / "chats")
    assert shop.score("chats").rows_done == 0
    assert shop.inputs == ["chats/a.csv", "chats/b.csv", "chats/c.csv", "chats/d.csv"]


def test_a_copy_of_a_file_that_still_exists_is_labelled_and_said(shop):
    shop.score()
    shutil.copy(shop.folder / "logs" / "a.csv", shop.folder / "copy.csv")
    assert shop.score("copy.csv").rows_done == 20
    said = [note for note in shop.notes if "each row is counted twice" in note]
    assert said == [
        f"{shop.folder}/copy.csv has the same contents as {shop.folder}/logs/a.csv, whose rows the archive already "
        "contains: each row is counted twice"
    ]
    assert len(shop.texts) == 60


def test_the_default_output_moves_with_its_input(shop):
    shop.score(out=None)
    assert shop.moved("other").score(out=None).rows_done == 0


def test_a_copy_of_another_file_beside_a_default_output_is_refused_as_before(shop):
    shop.score(out=None)
    other = shop.folder.with_name("other")
    (other / "logs").mkdir(parents=True)
    (other / "logs" / "x.csv").write_text("text\nx\n")
    shutil.copytree(shop.folder / "logs.emotions", other / "logs.emotions")
    shop.folder = other
    with pytest.raises(OutputError, match="contains the labels of"):
        shop.score(out=None)


def test_a_moved_single_file_is_complete(shop):
    shop.score(out="all.parquet")
    assert shop.moved("other").score(out="all.parquet").rows_done == 0


def test_the_files_of_a_moved_zip_file_are_recognised(shop):
    with zipfile.ZipFile(shop.folder / "logs" / "c.zip", "w") as archive:
        archive.writestr("one.csv", "text\n하나\n")
        archive.writestr("two.csv", "text\n둘\n")
    shop.score()
    (shop.folder / "logs").rename(shop.folder / "chats")
    assert shop.score("chats").rows_done == 0
    assert shop.inputs == ["chats/a.csv", "chats/b.csv", "chats/c.zip/one.csv", "chats/c.zip/two.csv"]


def test_the_rejected_rows_of_a_moved_input_have_its_new_name(shop):
    (shop.folder / "logs" / "a.csv").write_text("text,id\n좋아요,1\n너무,많은,칸\n싫어요,2\n")
    shop.score()
    shop.moved("other").score()
    rejects = pq.read_table(shop.folder / "out" / "_emojob" / "rejects.parquet")
    assert rejects["input"].to_pylist() == [f"{shop.folder}/logs/a.csv"]


def test_a_dry_run_recognises_moved_inputs_and_changes_nothing(shop):
    shop.score()
    shop.moved("other")
    before = {file: file.read_bytes() for file in (shop.folder / "out").rglob("*") if file.is_file()}
    notes: list[str] = []
    found = plan_run(
        [str(shop.folder / "logs")],
        shop.folder / "out",
        ScoreOptions(),
        ModelOptions(model=str(shop.model)),
        notes.append,
    )
    assert found["rows_complete"] == 40
    assert "2 moved inputs are recognised" in str(notes)
    assert before == {file: file.read_bytes() for file in (shop.folder / "out").rglob("*") if file.is_file()}


def test_a_run_that_was_killed_while_it_changed_the_names_is_continued(shop, monkeypatch):
    shop.score()
    shop.moved("other")
    rename, calls = input_names.rename_inputs, []

    def fail(*given: object) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        rename(*given)

    monkeypatch.setattr(input_names, "rename_inputs", fail)
    with pytest.raises(Exception, match="No space left"):
        shop.score()
    monkeypatch.undo()
    assert shop.score().rows_done == 0
    assert shop.texts == ALL


def test_forgotten_rows_of_a_moved_input_stay_forgotten(emojob, shop):
    shop.score()
    assert emojob("forget", str(shop.folder / "out"), "--yes", "--where", "text LIKE 'a %' OR text = 'b 3'")[0] == 0
    for name in ("second", "third"):
        shop.moved(name).score()
        assert shop.texts == sorted(text for text in ALL if text.startswith("b") and text != "b 3")
    (shop.folder / "logs").rename(shop.folder / "chats")
    shop.score("chats")
    assert len(shop.texts) == 19
    assert "a.csv" not in json.dumps(json.loads((shop.folder / "out/_emojob/archive.json").read_text()))


def test_fresh_labels_a_moved_project_again(shop):
    shop.score()
    assert shop.moved("other").score(fresh=True).rows_done == 40
    assert shop.texts == ALL


def test_a_moved_input_that_cannot_be_read_is_said(shop):
    shop.score()
    shop.moved("other")
    (shop.folder / "logs" / "a.csv").write_bytes(b"\0" * 999)
    with pytest.raises(DataError):
        shop.score()
