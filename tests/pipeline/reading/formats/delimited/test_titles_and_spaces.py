"""A title is not the header, a space before a quote is not a value, and JSON is not a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import EmojobError
from emojob.schemas.options import ReadOptions

TABLE = "번호,내용,일시\n" + "".join(f'{number},"네, 알겠어요 {number}",2026-11-20\n' for number in range(20))
TITLES = ["상담 내역", "상담 내용", "리뷰", "Message"]
PERIOD = "기간: 2026-11-01 ~ 2026-11-30\n\n"


def read(
    folder: Path, content: str, name: str = "a.csv", column: str | None = None
) -> tuple[list[str], list, int, str]:
    """Return (names of the columns, rows, number of rejected rows, notes)."""
    (folder / name).write_text(content, encoding="utf-8")
    dataset = open_dataset(find_inputs([str(folder / name)]), ReadOptions(column))
    batches = list(read_batches(dataset, dataset.sources[0], 0, 1000))
    found = [tuple(row.values()) for one in batches for row in one.batch.to_pylist()]
    rejected = sum(len(one.rejects) for one in batches)
    return dataset.sources[0].schema.names, found, rejected, "; ".join(dataset.sources[0].notes)


def refusal(folder: Path, content: str, name: str, form: str = "auto", column: str | None = None) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(EmojobError) as error:
        open_dataset(find_inputs([str(folder / name)], form=form), ReadOptions(column, format=form))
    return str(error.value)


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("between", [PERIOD, "\n", ""])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_a_title_that_is_a_usual_name_is_not_the_header(tmp_path, title, between, name):
    table = TABLE if name == "a.csv" else TABLE.replace('"', "").replace(", ", " ").replace(",", "\t")
    names, found, rejected, notes = read(tmp_path, f"{title}\n{between}{table}", name)
    assert (names, len(found), rejected) == (["번호", "내용", "일시"], 20, 0)
    assert found[0][1] in ("네, 알겠어요 0", "네 알겠어요 0")
    assert f"header in line {2 + between.count(chr(10))}" in notes


@pytest.mark.parametrize(
    "title",
    [
        "상담 내역,,\n\n",
        "대화 내용,,\n기간,2026-11-01 ~ 2026-11-30,\n\n",
        "리뷰,,\n,,\n",
    ],
)
def test_a_title_that_a_spreadsheet_fills_up_is_not_the_header(tmp_path, title):
    names, found, rejected, _ = read(tmp_path, title + TABLE)
    assert (names, len(found), rejected) == (["번호", "내용", "일시"], 20, 0)


@pytest.mark.parametrize("title", ["상담 내역\n\n", "상담 내역,,\n,,\n"])
def test_a_table_with_other_names_is_not_read_as_one_column(tmp_path, title):
    table = title + TABLE.replace("번호,내용,일시", "순,말,언제")
    assert "--text-column" in refusal(tmp_path, table, "a.csv")
    assert read(tmp_path, table, column="말")[1][0] == ("0", "네, 알겠어요 0", "2026-11-20")


@pytest.mark.parametrize(
    "lines",
    [
        ["네, 좋아요", "아니, 뭐, 그래", "좋아"],
        ["hello, world", "yes, sir", "no, sir"],
        ["번호, 이름 알려 주세요", "시간, 날짜 모두", "네"],
    ],
)
def test_a_file_with_one_column_stays_one_column(tmp_path, lines):
    assert read(tmp_path, "\n".join(["text", *lines, ""]))[:3] == (["text"], [(line,) for line in lines], 0)


def test_a_column_with_empty_columns_behind_it_keeps_its_quotes_apart(tmp_path):
    names, found, rejected, _ = read(tmp_path, 'text,,\n"네, 좋아요",,\n"아니, 그래",,\n응,,\n')
    assert (names, found, rejected) == (["text"], [("네, 좋아요",), ("아니, 그래",), ("응",)], 0)


def test_a_row_with_the_name_of_text_column_is_not_the_header(tmp_path):
    text = refusal(tmp_path, "id,utt,\n1,네,\n2,말,또\n3,응,\n", "a.csv", column="말")
    assert "has no column '말'" in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            'id, text\n1, "네, 알겠어요"\n2, "고마워요"\n3,  "그래, 좋아"\n4, 응\n',
            [("1", "네, 알겠어요"), ("2", "고마워요"), ("3", "그래, 좋아"), ("4", " 응")],
        ),
        ('"id", "text"\n"1", "네,\n ""알"" 겠어요"\n', [("1", '네,\n "알" 겠어요')]),
        ('id, text\n1, "네, \\"알\\" 겠"\n2, "고마워"\n', [("1", '네, "알" 겠'), ("2", "고마워")]),
        ('id; text\n1; "네; 알겠어요"\n2; "고마워"\n', [("1", "네; 알겠어요"), ("2", "고마워")]),
    ],
)
def test_a_space_before_a_quote_is_left_out(tmp_path, content, expected):
    names, found, rejected, notes = read(tmp_path, content)
    assert (names, found, rejected) == (["id", "text"], expected, 0)
    assert "a space before a quote is left out" in notes


def test_a_stray_quote_behind_a_space_rejects_only_its_row(tmp_path):
    found = read(tmp_path, 'id, text\n1, "네, 알겠어요"\n2, "고마워요\n3, "그래, 좋아"\n4, "응"\n')
    assert (found[1], found[2]) == ([("1", "네, 알겠어요"), ("3", "그래, 좋아"), ("4", "응")], 1)


def test_quotes_in_a_text_are_not_quotes_behind_a_space(tmp_path):
    found = read(tmp_path, 'id,text\n1,"응, ""네"", 좋아"\n2, 네\n3,"그, ""응"""\n')
    assert found[1:] == ([("1", '응, "네", 좋아'), ("2", " 네"), ("3", '그, "응"')], 0, "")


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        ('[{"text": "안녕"}, {"text": "네"}]', "a.csv", "json"),
        ('{\n "turns": [{"text": "네"}]}', "a.tsv", "json"),
        ('{"text": "안녕", "id": 1}\n{"text": "네", "id": 2}\n', "a.csv", "jsonl"),
    ],
)
def test_json_with_another_name_is_refused_with_the_right_format(tmp_path, content, name, form):
    assert f"give --format {form}," in refusal(tmp_path, content, name)
    dataset = open_dataset(find_inputs([str(tmp_path / name)], form=form), ReadOptions(format=form))
    assert "text" in dataset.schema.names


@pytest.mark.parametrize(
    ("content", "right"), [("id,text\n1,네\n", "csv"), ("id\ttext\n1\t네\n", "tsv"), ("안녕\n네\n", "lines")]
)
@pytest.mark.parametrize(("name", "form"), [("a.csv", "json"), ("a.csv", "jsonl"), ("a.json", "auto")])
def test_a_table_read_as_json_is_refused_with_the_right_format(tmp_path, content, right, name, form):
    assert f"--format {right}" in refusal(tmp_path, content, name, form)


@pytest.mark.parametrize("column", [None, "text"])
@pytest.mark.parametrize("content", ["1,안녕하세요\n2,네 좋아요\n", "안녕하세요\n네, 좋아요\n감사합니다 정말\n"])
def test_a_file_without_a_header_is_refused_with_all_next_steps(tmp_path, content, column):
    text = refusal(tmp_path, content, "a.csv", column=column)
    assert "--format lines" in text
    assert "add a line with the names of the columns" in text
    assert "안녕하세요" not in text


@pytest.mark.parametrize("title", ["상담 이력 조회,,\n기간,2026-11,\n,,\n", "이력,,\n작성,홍길동,\n"])
def test_titles_of_several_cells_that_a_spreadsheet_padded_are_no_header(tmp_path, title):
    found = read(tmp_path, f"{title}번호,채널,상담내용\n1,전화,네\n2,전화,아니\n3,전화,그래\n")
    assert found[1] == [("1", "전화", "네"), ("2", "전화", "아니"), ("3", "전화", "그래")]
