"""Work folders: only those of emojob and of this user are removed."""

import pytest

from emojob.pipeline.output.derived.work_folders import (
    finished_parts,
    mark_of,
    part_in,
    read_state,
    remove_work_folder,
    work_folder_of,
    write_state,
)
from emojob.pipeline.output.identity import Mark

MARK = Mark("0123456789abcdef" * 2, 3, 4)


@pytest.fixture
def folder(tmp_path):
    """A work folder with parts 0, 1 and 3."""
    made = work_folder_of(tmp_path / "drafts.csv")
    made.mkdir()
    write_state(made, MARK, {"fingerprint": "f"})
    for number in (0, 1, 3):
        part_in(made, number).write_bytes(b"")
    return made


def test_a_work_folder_tells_its_archive_and_its_parts(folder):
    assert (mark_of(folder), read_state(folder)["fingerprint"]) == (MARK, "f")
    assert finished_parts(folder) == [part_in(folder, 0), part_in(folder, 1)]
    remove_work_folder(folder)
    assert not folder.exists()


def test_a_folder_with_another_file_is_not_touched(folder):
    (folder / "mine.txt").write_text("mine")
    remove_work_folder(folder)
    assert mark_of(folder) is None
    assert len(list(folder.iterdir())) == 5


def test_a_link_to_a_folder_is_not_followed(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder)
    remove_work_folder(link)
    assert mark_of(link) is None
    assert part_in(folder, 0).exists()


def test_a_folder_that_is_missing_or_has_a_damaged_state_has_no_mark(folder, tmp_path):
    assert mark_of(tmp_path / "missing") is None
    (folder / "work.json").write_text("{")
    assert mark_of(folder) is None
