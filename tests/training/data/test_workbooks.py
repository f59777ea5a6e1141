"""Excel workbooks are read; broken and huge ones are refused in one line."""

import pytest

from emojob.pipeline.reading.formats import workbook_xml
from emojob.schemas.errors import ColumnError, DataError
from emojob.training.data.annotated import annotate
from emojob.training.data.corpus import CorpusOptions, read_corpus
from tests.workbooks import write_xlsx


def test_a_sheet_is_read_with_numbers_as_texts_and_without_blank_rows(tmp_path):
    rows = [["문장", "감정"], ["오늘 참 좋다", "기쁨"], [], [119, "불안"], ["줄\n바꿈", None]]
    corpus = read_corpus([write_xlsx(tmp_path / "a.xlsx", {"하나": rows})])
    assert corpus.texts == ["오늘 참 좋다", "119", "줄\n바꿈"]
    assert corpus.raw_labels == [("기쁨",), ("불안",), ()]
    (file,) = corpus.files
    assert (file.name, file.kind, file.rows, file.rejected) == ("a.xlsx", "table", 3, 0)
    assert file.bytes == (tmp_path / "a.xlsx").stat().st_size


def test_whole_numbers_as_labels_have_no_fraction(tmp_path):
    corpus = read_corpus([write_xlsx(tmp_path / "a.xlsx", {"하나": [["문장", "label"], ["좋다", 3], ["싫다", 4.0]]})])
    assert corpus.raw_labels == [("3",), ("4",)]


def test_single_sentences_of_ai_hub_with_their_side_table_are_read(tmp_path):
    rows = [
        ["Sentence", "Emotion", None, None, "공포", 3],
        ["문 뒤에 누가 있는 것 같아", "공포", None, None, "놀람", 2],
        ["깜짝이야 언제 왔어", "놀람"],
    ]
    corpus = read_corpus([write_xlsx(tmp_path / "단발성.xlsx", {"Sheet1": rows})])
    assert corpus.raw_labels == [("공포",), ("놀람",)]
    assert corpus.files[0].kind == "aihub-sentences"


def test_sheets_without_annotated_texts_are_skipped(tmp_path):
    sheets = {
        "설명": [["만든 사람", "날짜"], ["우리 팀", "2026"]],
        "하나": [["문장", "감정"], ["좋아", "기쁨"]],
        "빈": [],
        "둘": [["감정", "문장"], ["슬픔", "울었어"]],
    }
    corpus = read_corpus([write_xlsx(tmp_path / "a.xlsx", sheets)])
    assert corpus.texts == ["좋아", "울었어"]
    assert corpus.files[0].rows == 2


def test_a_workbook_without_annotated_texts_is_refused_with_its_columns(tmp_path):
    with pytest.raises(ColumnError, match="columns are 만든이, 날짜"):
        read_corpus([write_xlsx(tmp_path / "a.xlsx", {"설명": [["만든이", "날짜"], ["팀", "2026"]]})])


def test_columns_with_the_same_name_are_refused(tmp_path):
    with pytest.raises(ColumnError, match="more than once: 감정"):
        read_corpus([write_xlsx(tmp_path / "a.xlsx", {"하나": [["문장", "감정", "감정"], ["좋아", "기쁨", "분노"]]})])


def test_the_given_columns_apply_to_workbooks_too(tmp_path):
    file = write_xlsx(tmp_path / "A.XLSX", {"하나": [["말", "느낌", "감정"], ["좋아", "기쁨", "?"]]})
    corpus = read_corpus([file], CorpusOptions(text_column="말", label_column="느낌"))
    assert (corpus.texts, corpus.raw_labels) == (["좋아"], [("기쁨",)])
    assert annotate(corpus, None).names == ("기쁨",)


def test_a_folder_gives_its_workbooks_and_other_files(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", {"하나": [["문장", "감정"], ["좋아", "기쁨"]]})
    (tmp_path / "~$a.xlsx").write_bytes(b"a lock of Excel's")
    assert read_corpus([tmp_path]).texts == ["좋아"]
    (tmp_path / "b.csv").write_text("문장,감정\n싫어,분노\n", encoding="utf-8")
    assert sorted(read_corpus([tmp_path]).texts) == ["싫어", "좋아"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"hello" * 100,
        lambda data: data[: len(data) // 2],
        lambda data: bytes.fromhex("D0CF11E0A1B11AE1") + bytes(5000),  # as in encrypted files
        lambda data: data.replace(b"xl/workbook.xml", b"xl/workbork.xml"),
        lambda data: data[:200] + bytes(100) + data[300:],
    ],
)
def test_a_broken_workbook_is_refused_in_one_line(tmp_path, damage):
    file = write_xlsx(tmp_path / "a.xlsx", {"하나": [["문장", "감정"], ["좋아", "기쁨"]] * 200})
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=r"a\.xlsx") as refusal:
        read_corpus([file])
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("reference", ["XFD1048576", "ZZZZZZ9", "A99999999999", "XFD4000"])
def test_a_stray_cell_at_the_end_of_a_sheet_is_refused_before_it_takes_all_memory(tmp_path, reference):
    stray = f'<row spans="1:2" r="4000"><c s="1" r="{reference}"><v>1</v></c></row>'
    file = write_xlsx(tmp_path / "a.xlsx", {"하나": [["문장", "감정"]]}, more=stray)
    with pytest.raises(DataError, match="delete the cells that are far below or right of the data"):
        read_corpus([file])


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    file = write_xlsx(tmp_path / "a.xlsx", {"하나": [["문장", "감정"], ["가" * 5000, "기쁨"]]})
    monkeypatch.setattr(workbook_xml, "MOST_BYTES", 5000)
    with pytest.raises(DataError, match="unpacked"):
        read_corpus([file])


def test_a_workbook_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="has only empty sheets"):
        read_corpus([write_xlsx(tmp_path / "a.xlsx", {"하나": []})])


def test_a_missing_workbook_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_corpus([tmp_path / "none.xlsx"])
