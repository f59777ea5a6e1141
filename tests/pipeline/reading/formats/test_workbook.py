"""What a workbook holds instead of values is said: errors of Excel, and formulas that no program has computed."""

from pathlib import Path

import pytest

from emojob.pipeline.reading.dataset import Dataset, open_dataset
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.options import ReadOptions
from tests.workbooks import Xml, write_xlsx


def notes(file: Path, *cells: object) -> str:
    write_xlsx(file, {"글": [["text", "v"], ["좋아요", 1], *([one, 2] for one in cells)]})
    dataset: Dataset = open_dataset(find_inputs([str(file)]), ReadOptions())
    return " ".join(note for source in dataset.sources for note in source.notes)


def test_cells_with_errors_are_counted(tmp_path):
    error = Xml('t="e"', "<f>1/0</f><v>#DIV/0!</v>")
    assert "the cell in row 3, column 1 has an error" in notes(tmp_path / "a.xlsx", error)
    assert "2 cells have errors" in notes(tmp_path / "b.xlsx", error, "글", Xml('t="e"', "<v>#N/A</v>"))


@pytest.mark.parametrize("inside", ["<f>B2</f>", "<f>B2</f><v></v>", '<f t="shared" si="0"/>', "<f>B2</f>\n <v/>"])
def test_formulas_without_a_stored_value_are_named(tmp_path, inside):
    found = notes(tmp_path / "a.xlsx", Xml("", inside))
    assert "some formulas have no stored value" in found
    assert "save it" in found


@pytest.mark.parametrize(("attributes", "inside"), [
    ("", "<f>B2</f><v>3</v>"),
    ('t="str"', "<f>B2</f><v></v>"),
    ('t="str"', "<f>B2</f><v>글</v>"),
    ('t="inlineStr"', "<is><t>글</t></is>"),
    ("", ""),
])  # fmt: skip
def test_stored_values_are_not_named(tmp_path, attributes, inside):
    assert "stored" not in notes(tmp_path / "a.xlsx", Xml(attributes, inside))
