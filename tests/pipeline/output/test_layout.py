"""Names and paths in OUT."""

from pathlib import Path

import pytest

from emojob.pipeline.output import layout
from emojob.pipeline.output.layout import PartPaths, part_paths, rejects_beside, work_folder

OUT = Path("out")


def test_part_names_sort_in_row_order():
    rows = [0, 9, 10, 122_880, 999_999_999_999]
    names = [part_paths(OUT, number, row).part.name for number in (0, 1, 99_999) for row in rows]
    assert names == sorted(names)
    assert all(map(layout.PART_PATTERN.fullmatch, names))


def test_the_files_of_a_part_have_its_name():
    paths = part_paths(OUT, 3, 500)
    assert str(paths.part) == "out/part-00003-000000000500.parquet"
    assert str(paths.marker) == "out/_emojob/parts/part-00003-000000000500.json"
    assert str(paths.rejects) == "out/_emojob/parts/part-00003-000000000500.rejects.parquet"
    assert layout.MARKER_PATTERN.fullmatch(paths.marker.relative_to(OUT).as_posix())


def test_a_replacement_sorts_at_the_position_of_the_part():
    first, second = part_paths(OUT, 0, 0), part_paths(OUT, 0, 500)
    replaced = first.replacement()
    again = replaced.replacement()
    assert [replaced.name, again.name] == ["part-00000-000000000000-1", "part-00000-000000000000-2"]
    assert first.name < replaced.name < again.name < second.name
    assert all(layout.PART_PATTERN.fullmatch(paths.part.name) for paths in (replaced, again))
    with pytest.raises(ValueError, match="other"):
        PartPaths(OUT, "other").replacement()


def test_a_single_file_has_a_hidden_work_folder_and_its_rejects_beside_it(tmp_path):
    file = tmp_path / "labelled.parquet"
    assert work_folder(file) == tmp_path / ".labelled.parquet.emojob"
    assert rejects_beside(file) == tmp_path / "labelled.rejects.parquet"


def test_a_folder_is_its_own_work_folder_whatever_its_name(tmp_path):
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    assert work_folder(folder) == folder
    assert work_folder(tmp_path / "new") == tmp_path / "new"
