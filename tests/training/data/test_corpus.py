"""Annotated files of each format give the same utterances; unclear columns are refused in one line."""

import gzip
import hashlib
import json
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.schemas import sheet
from emojob.schemas.errors import ColumnError, DataError, OptionError
from emojob.training.data.corpus import CorpusOptions, read_corpus

PREVIOUS = CorpusOptions(context="previous")

TABLE = "label,text\n기쁨,오늘 정말 신나\n분노,왜 또 늦었어\n,라벨이 없어\n불안,\n"
TEXTS = ["오늘 정말 신나", "왜 또 늦었어", "라벨이 없어", ""]
GIVEN = [("기쁨",), ("분노",), (), ("불안",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_csv_is_read_in_each_encoding(written, encoding):
    corpus = read_corpus([written("a.csv", TABLE, encoding)])
    assert (corpus.texts, corpus.raw_labels) == (TEXTS, GIVEN)
    assert corpus.previous == corpus.conversations == [None] * 4


def test_every_format_gives_the_same_corpus(tmp_path, written):
    rows = [{"label": label[0] if label else None, "text": text} for label, text in zip(GIVEN, TEXTS, strict=True)]
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    files = [
        tmp_path / "a.csv.gz",
        tmp_path / "a.parquet",
        written("a.tsv", TABLE.replace(",", "\t")),
        written("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)),
        written("a.json", json.dumps(rows, ensure_ascii=False, indent=2), "utf-8-sig"),
        written("b.json", json.dumps(rows, ensure_ascii=False), "cp949"),
    ]
    if pa.Codec.is_available("zstd"):
        with pa.CompressedOutputStream(str(tmp_path / "a.csv.zst"), "zstd") as stream:
            stream.write(TABLE.encode())
        files.append(tmp_path / "a.csv.zst")
    for file in files:
        corpus = read_corpus([file])
        assert (corpus.texts, corpus.raw_labels) == (TEXTS, GIVEN), file.name
        assert corpus.files[0].kind == "table"
    together = read_corpus(files)
    assert together.texts == TEXTS * len(files)
    assert [file.name for file in together.files] == [file.name for file in files]


def test_the_notebooks_format_is_read(written):
    corpus = read_corpus([written("train.csv", "sentiment,user\n기쁨,합격했어\n슬픔,헤어졌어\n", "cp949")])
    assert (corpus.texts, corpus.raw_labels) == (["합격했어", "헤어졌어"], [("기쁨",), ("슬픔",)])


def test_a_file_is_recorded_with_hash_size_rows_and_rejected_rows(written):
    file = written("a.csv", "text,label\n좋아,기쁨\n하나,둘,셋\n싫어,분노\n")
    corpus = read_corpus([file])
    (facts,) = corpus.files
    assert (facts.rows, facts.rejected, corpus.rejected) == (3, 1, 1)
    assert facts.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts.bytes == file.stat().st_size
    assert corpus.summary() == "a.csv (table, 3 rows); 1 rows could not be read"


def test_labels_may_be_lists_or_numbers(tmp_path):
    table = pa.table({"text": ["가", "나", "다"], "labels": [["기쁨", " 기쁨 ", "슬픔"], [], None]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_corpus([tmp_path / "a.parquet"]).raw_labels == [("기쁨", "슬픔"), (), ()]
    pq.write_table(pa.table({"text": ["가", "나", "다"], "label": [1.0, 2.5, float("nan")]}), tmp_path / "b.parquet")
    assert read_corpus([tmp_path / "b.parquet"]).raw_labels == [("1",), ("2.5",), ()]


def test_labels_that_look_the_same_are_the_same(written):
    decomposed = unicodedata.normalize("NFD", "기쁨")
    corpus = read_corpus([written("a.csv", f"text,label\n가,{decomposed} \n나,기쁨\n")])
    assert corpus.raw_labels == [("기쁨",), ("기쁨",)]


def test_a_column_without_a_name_is_ignored(written):
    assert read_corpus([written("a.csv", ",text,label\n0,좋아,기쁨\n")]).raw_labels == [("기쁨",)]


def test_invalid_utf8_in_parquet_is_replaced(tmp_path):
    broken = pa.array([b"\xff ok", b"fine"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": broken, "label": ["기쁨", "분노"]}), tmp_path / "a.parquet")
    assert read_corpus([tmp_path / "a.parquet"]).texts == ["\ufffd ok", "fine"]


@pytest.mark.parametrize(
    ("header", "options", "complaint"),
    [
        (
            "text,label,emotion",
            {},
            r"several columns may hold the labels \(label, emotion\); choose one with --label-column",
        ),
        ("text,기분", {}, r"the columns are text, 기분; give the column with the labels: --label-column"),
        ("말,label", {}, r"--text-column"),
        ("text,label", {"label_column": "감정"}, r"no column '감정'; its columns are text, label"),
        ("text,label", {"text_column": "말"}, r"no column '말'"),
        ("text,label", {"label_column": "text"}, r"is already the text column"),
        ("text,label,label", {}, r"more than once: label"),
        ("text,label", {"conversation_column": "room"}, r"no column 'room'"),
    ],
)
def test_unclear_columns_are_refused_with_the_existing_ones(written, header, options, complaint):
    file = written("a.csv", f"{header}\n" + ",".join("가" * len(header.split(","))) + "\n")
    with pytest.raises(ColumnError, match=complaint) as refusal:
        read_corpus([file], CorpusOptions(**options))
    assert "\n" not in str(refusal.value)


def test_objects_as_labels_are_refused(written):
    with pytest.raises(ColumnError, match="but labels must be strings or numbers"):
        read_corpus([written("a.jsonl", '{"text": "가", "label": {"a": 1}}\n')])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "is not valid JSON"),
        ('[{"text": "가"},]', "is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "holds no JSON object"),
        ("[1, 2]", "holds no JSON object"),
    ],
)
def test_a_json_list_that_cannot_be_read_is_refused_in_one_line(written, text, complaint):
    with pytest.raises(DataError, match=complaint) as refusal:
        read_corpus([written("a.json", text)])
    assert "\n" not in str(refusal.value)


def test_items_of_a_json_list_that_are_not_objects_are_rejected(written):
    items = '[{"text": "가", "label": "기쁨"}, 3, {"text": "\\ud800", "label": "분노"}, {"text": 7, "label": 1}]'
    corpus = read_corpus([written("a.json", items)])
    assert (corpus.texts, corpus.raw_labels) == (["가", "7"], [("기쁨",), ("1",)])
    assert (corpus.files[0].rows, corpus.files[0].rejected) == (4, 2)


def test_an_unknown_context_or_no_file_is_refused(tmp_path):
    with pytest.raises(OptionError, match="--context 'next'"):
        CorpusOptions(context="next")
    with pytest.raises(DataError, match="no annotated file"):
        read_corpus([])
    with pytest.raises(DataError, match="no such file"):
        read_corpus([tmp_path / "none.csv"])


# -- sheets -----------------------------------------------------------------------------------------------------------


def filled_sheet(*rows: tuple[str, str, str, str]) -> str:
    header = [sheet.TEXT, sheet.LABEL, sheet.PREVIOUS, sheet.GUESS, sheet.CONVERSATION]
    lines = [",".join(header)]
    for text, label, previous, conversation in rows:
        lines.append(
            ",".join(
                [sheet.escape_cell(text), label, sheet.escape_cell(previous), "기쁨", sheet.escape_cell(conversation)]
            )
        )
    return "\r\n".join(lines) + "\r\n"


SHEET = filled_sheet(("=SUM(A1)", "분노", "+82 전화", "007"), ("좋네", "", "", ""), ("'그래'", "기쁨", "좋네", "8"))


def test_a_sheet_is_recognized_and_its_cells_are_unescaped(written):
    corpus = read_corpus([written("todo.csv", SHEET, "utf-8-sig")], PREVIOUS)
    assert corpus.texts == ["=SUM(A1)", "좋네", "'그래'"]
    assert corpus.raw_labels == [("분노",), (), ("기쁨",)]
    assert corpus.previous == ["+82 전화", None, "좋네"]
    assert corpus.conversations == ["007", None, "8"]
    assert corpus.files[0].kind == "sheet"


def test_a_sheet_without_context_has_no_previous(written):
    assert read_corpus([written("todo.csv", SHEET, "utf-8-sig")]).previous == [None] * 3


def test_a_sheet_may_be_read_with_files_that_have_other_columns(written):
    first = written("first.csv", "말,느낌\n신난다,기쁨\n")
    options = CorpusOptions(text_column="말", label_column="느낌")
    corpus = read_corpus([first, written("todo.csv", SHEET, "utf-8-sig")], options)
    assert corpus.texts[:2] == ["신난다", "=SUM(A1)"]
    assert [file.kind for file in corpus.files] == ["table", "sheet"]


def test_a_sheet_without_its_previous_column_is_refused_with_context(written):
    file = written("todo.csv", f"text,label,{sheet.GUESS}\n그래,기쁨,기쁨\n")
    assert read_corpus([file]).raw_labels == [("기쁨",)]
    with pytest.raises(ColumnError, match="lacks the column 'previous'"):
        read_corpus([file], PREVIOUS)
