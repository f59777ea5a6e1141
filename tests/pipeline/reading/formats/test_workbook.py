"""What a workbook holds instead of values is said: errors of Excel, and formulas that no program has computed."""

import datetime
from pathlib import Path

import pyarrow as pa
import pytest
import xlsxwriter

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.formats.workbook import merged_cells
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError
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


def real_workbook(file: Path) -> Path:
    """Write a workbook with a header that is repeated, days as Excel writes them, a blank row and a hidden sheet."""
    with xlsxwriter.Workbook(str(file)) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet, hidden = book.add_worksheet("상담"), book.add_worksheet("숨김")
        sheet.write_row(0, 0, ["번호", "발화", "일시"])
        rows = [[1, "좋아요"], ["번호", " 발화 ", "일시"], [2, "네"], [], ["번호", "발화", "일시"], [3, "발화"]]
        for row, cells in enumerate(rows, 1):
            sheet.write_row(row, 0, cells)
            if len(cells) == 2:
                sheet.write_datetime(row, 2, datetime.datetime(2026, 11, 20, row), day)
        hidden.write_column(0, 0, ["발화", "숨긴 글"])
        hidden.hide()
    return file


def test_a_header_between_the_rows_is_rejected_and_times_stay_times(tmp_path):
    dataset = open_dataset(find_inputs([str(real_workbook(tmp_path / "a.xlsx"))]), ReadOptions())
    (source,) = dataset.sources
    assert (source.rows, source.schema.field("일시").type) == (5, pa.timestamp("us"))
    for rows in (1, 2, 100):
        found = list(read_batches(dataset, source, rows=rows))
        assert [row["발화"] for one in found for row in one.batch.to_pylist()] == ["좋아요", "네", "발화"]
        assert [row["일시"].hour for one in found for row in one.batch.to_pylist()] == [1, 3, 6]
        rejects = [reject for one in found for reject in one.rejects]
        assert [(one.position, one.reason) for one in rejects] == [(2, "header again"), (4, "header again")]
        assert sum(one.rows_read for one in found) == 5
    rest = [row["번호"] for one in read_batches(dataset, source, 2, 1) for row in one.batch.to_pylist()]
    assert rest == ["2", "3"]


def test_a_hidden_sheet_is_passed_over_and_named(tmp_path):
    file = str(real_workbook(tmp_path / "a.xlsx"))
    dataset = open_dataset(find_inputs([file]), ReadOptions())
    assert [(one.name, one.reason) for one in dataset.passed_over] == [
        ("a.xlsx/숨김", "a hidden sheet; --sheet reads it")
    ]
    given = open_dataset(find_inputs([file]), ReadOptions(sheets=("숨김",)))
    assert [source.rows for source in given.sources] == [1]
    assert not given.passed_over


@pytest.mark.parametrize("later", ["언제인지 모름", 7])
def test_a_column_that_has_no_time_below_a_second_header_stays_text(tmp_path, later):
    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["발화", "일시"])
        sheet.write(1, 0, "네")
        sheet.write_datetime(1, 1, datetime.datetime(2026, 11, 20), book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write_row(2, 0, ["발화", "일시"])
        sheet.write_row(3, 0, ["응", later])
    dataset = open_dataset(find_inputs([str(tmp_path / "a.xlsx")]), ReadOptions())
    (batch,) = read_batches(dataset, dataset.sources[0])
    assert batch.batch.column("일시").to_pylist() == ["2026-11-20 00:00:00", str(later)]
    assert len(batch.rejects) == 1


TEXTS = ["배송이 늦어요", "고맙습니다", "왜 안 되나요", "좋네요"]


@pytest.mark.parametrize(("above", "header", "first", "texts"), [
    ([], ["번호", "채널", "고객 발화"], ["0", "리뷰"], "고객 발화"),  # a value is the usual name of a text
    ([], ["번호", "리뷰", "고객 발화"], ["0", "메시지"], "고객 발화"),
    ([], ["chatId", "personType", "plainText"], ["c1", "user"], "plainText"),
    ([], [None, "v", "text"], ["0", "1"], "text"),  # as pandas writes its index
    ([], [None, None, "text"], ["0", "1"], "text"),
    ([["상담 이력 조회"], ["기간", "2026-11"], []], ["번호", "채널", "상담내용"], ["1", "전화"], "상담내용"),
    ([["이력"], []], ["가", "나", "다"], ["1", "전화"], "다"),
    ([["이력", "2026"]], ["가", "나", "다", "라", "마", "바"], ["1", "전화"], "다"),
])  # fmt: skip
def test_the_header_is_found_and_no_row_is_taken_for_it(tmp_path, above, header, first, texts):
    rest = ["x"] * (len(header) - 3)
    rows = [[*first, text, *rest] for text in TEXTS]
    write_xlsx(tmp_path / "a.xlsx", {"글": [*above, header, *rows]})
    for given in (texts, None) if texts == "text" else (texts,):
        dataset = open_dataset(find_inputs([str(tmp_path / "a.xlsx")]), ReadOptions(given))
        (batch,) = read_batches(dataset, dataset.sources[0])
        assert batch.batch.column(texts).to_pylist() == TEXTS
        assert not batch.rejects


def test_a_sheet_without_a_usual_name_is_refused_with_the_names_in_its_first_row(tmp_path):
    rows = [[number, channel, TEXTS[number]] for number, channel in enumerate(["전화", "리뷰", "메시지"])]
    write_xlsx(tmp_path / "a.xlsx", {"글": [["번호", "채널", "고객 반응"], *rows]})
    with pytest.raises(ColumnError, match="the columns are 번호, 채널, '고객 반응'; choose the text column"):
        open_dataset(find_inputs([str(tmp_path / "a.xlsx")]), ReadOptions())


def test_cells_that_are_merged_with_a_cell_above_are_known(tmp_path):
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        book.add_worksheet("앞").merge_range(0, 0, 5, 0, "text")
        sheet = book.add_worksheet("상담 & 기록")
        sheet.write_row(2, 2, ["발화", "구분", "비고"])
        for row, cells in enumerate([["하나"], ["둘"], ["발화", "구분", "비고"], ["셋"], [], ["넷"], ["다섯"]], 3):
            sheet.write_row(row, 2, cells)
        sheet.merge_range(3, 3, 4, 3, "가")
        sheet.merge_range(6, 3, 9, 3, "나")
        sheet.merge_range(3, 4, 3, 5, "옆")
    dataset = open_dataset(find_inputs([str(file)]), ReadOptions(sheets=("상담 & 기록",)))
    found = merged_cells(dataset.sources[0])
    assert {name: rows.tolist() for name, rows in found.items()} == {"구분": [0, 0, 2, 2, 2]}
