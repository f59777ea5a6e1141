"""Questions and answers are read from every shape and format, and every row is counted."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.replies.answers.book import read_book, write_book
from emojob.schemas.errors import ColumnError, DataError, OptionError
from emojob.training.replies.pair_columns import PairOptions
from emojob.training.replies.pairs import Pair, Pairs, read_pairs, to_book
from tests.examples import examples
from tests.workbooks import Xml, write_xlsx

HEADER = ["구분", "유저", "챗봇"]
SCRIPT = [
    HEADER,
    ["배송/지연", "택배가 아직도 안 와요", "많이 기다리셨지요. 바로 확인해 볼게요."],
    [" 배송 / 지연 ", " 언제 도착하나요 ", None],
    ["배송/지연", None, "불편을 드려 죄송해요."],
    ["마음/외로움", "혼자 밥 먹기 싫다", "오늘은 제가 곁에서 들을게요."],
]


def counts_of(pairs: Pairs) -> dict[str, int]:
    return {name: count for name, count in vars(pairs.counts).items() if count}


def write_csv(file: Path, rows: list[list[object]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with file.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    return file


def script(file: Path, rows: list[list[object]]) -> Pairs:
    return read_pairs([write_xlsx(file, {"대화": rows})])


# -- wellness script -----------------------------------------------------------------------------------------------


def test_the_answers_of_a_category_answer_all_its_questions(tmp_path):
    pairs = script(tmp_path / "w.xlsx", SCRIPT)
    assert pairs.pairs == (
        Pair("택배가 아직도 안 와요", "많이 기다리셨지요. 바로 확인해 볼게요.", "배송/지연"),
        Pair("언제 도착하나요", None, "배송/지연"),
        Pair("혼자 밥 먹기 싫다", "오늘은 제가 곁에서 들을게요.", "마음/외로움"),
    )
    assert pairs.answers["배송/지연"] == ("많이 기다리셨지요. 바로 확인해 볼게요.", "불편을 드려 죄송해요.")
    assert counts_of(pairs) == {"read": 4, "pairs": 3, "answers_only": 1}
    assert [file.kind for file in pairs.files] == ["wellness"]
    late = [pair.answer for pair in pairs.with_answers() if pair.question == "언제 도착하나요"]
    assert late == ["많이 기다리셨지요. 바로 확인해 볼게요.", "불편을 드려 죄송해요."]


def test_questions_of_a_category_without_answers_are_kept_and_named(tmp_path):
    rows = [*SCRIPT, *([f"기타/{n}", f"이건 {n}번째 질문", None] for n in range(4)), ["기타/0", "또 다른 말", None]]
    pairs = script(tmp_path / "w.xlsx", rows)
    assert counts_of(pairs) == {"read": 9, "pairs": 3, "answers_only": 1, "without_answer": 5}
    note = next(note for note in pairs.notes if "without answers" in note)
    assert note.startswith("5 questions of categories without answers, ")
    assert note.endswith("기타/0, 기타/1, 기타/2, ... (4 in total)")
    assert {pair.category for pair in pairs.with_answers()} == {"배송/지연", "마음/외로움"}
    book = to_book(pairs)
    other = book.groups.index("기타/0")
    assert [book.questions[row] for row in np.flatnonzero(book.question_groups == other)] == [
        "이건 0번째 질문",
        "또 다른 말",
    ]
    assert len(book.answers_of_groups[other]) == 0


def test_categories_with_one_question_or_none_are_named(tmp_path):
    pairs = script(tmp_path / "w.xlsx", [*SCRIPT, ["환불/거절", None, "규정을 다시 살펴볼게요."]])
    assert any("only one question" in note and note.endswith(": 마음/외로움") for note in pairs.notes)
    assert any("without a question" in note and note.endswith(": 환불/거절") for note in pairs.notes)
    assert to_book(pairs).groups == ("배송/지연", "마음/외로움")


def test_merged_cells_give_their_category_to_the_rows_below(tmp_path):
    rows = [
        HEADER,
        ["배송/지연", "택배가 안 와요", "확인해 볼게요."],
        [None, "언제 와요", None],
        [None, "너무 늦네요", None],
        ["마음/피로", "몸이 천근만근", "잠깐 쉬어 가요."],
        [None, "쉬고 싶다", None],
    ]
    pairs = script(tmp_path / "w.xlsx", rows)
    assert Counter(pair.category for pair in pairs.pairs) == {"배송/지연": 3, "마음/피로": 2}
    assert any(note.startswith("w.xlsx/대화: 3 rows without 구분") and "merged" in note for note in pairs.notes)


def merged_script(file: Path, header: list[str] = HEADER) -> Path:
    """Write 3 categories of 4 questions whose category cells are merged, and 20 rows that repeat their category."""
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("대화")
        sheet.write_row(1, 1, header)
        for number, category in enumerate(("가/하나", "가/둘", "나")):
            first = 2 + 4 * number
            sheet.merge_range(first, 1, first + 3, 1, category)
            sheet.write_column(first, 2, [f"{category} {n}번째 질문" for n in range(4)])
            sheet.merge_range(first, 3, first + 3, 3, f"{category}의 답")
        for row in range(14, 34):
            sheet.write_row(row, 1, ["긴 목록", f"긴 목록의 {row}번째 질문", "긴 답"])
        sheet.write_row(34, 1, ["", "어디에도 속하지 않는 질문", ""])
    return file


def test_cells_that_are_merged_in_a_workbook_are_filled_down(tmp_path):
    pairs = read_pairs([merged_script(tmp_path / "w.xlsx")])
    assert Counter(pair.category for pair in pairs.pairs) == {"가/하나": 4, "가/둘": 4, "나": 4, "긴 목록": 20}
    assert counts_of(pairs) == {"read": 33, "pairs": 32, "without_category": 1}
    assert {pair.answer for pair in pairs.pairs if pair.category == "나"} == {"나의 답"}
    assert "w.xlsx/대화: 9 rows got the 구분 of a merged cell" in pairs.notes
    assert any(note.startswith("w.xlsx/대화: 1 row has a blank 구분 and is left out: fill in") for note in pairs.notes)
    assert not any("only one question" in note for note in pairs.notes)


def test_merged_cells_of_named_columns_are_filled_down(tmp_path):
    file = merged_script(tmp_path / "w.xlsx", ["부서", "문의", "회신"])
    pairs = read_pairs([file], PairOptions(question_column="문의", answer_column="회신"))
    assert Counter(pair.answer for pair in pairs.pairs)["가/둘의 답"] == 4
    named = read_pairs([file], PairOptions(question_column="문의", answer_column="회신", category_column="부서"))
    assert Counter(pair.category for pair in named.pairs)["가/둘"] == 4


def repeated(category: str, rows: int) -> list[list[object]]:
    return [[category, f"{category} {n}번째 질문", "답"] for n in range(rows)]


def test_blank_cells_below_a_category_that_stands_in_one_cell_are_filled_among_full_ones(tmp_path):
    block = [["가", "첫 질문", "답 하나"], ["", "둘째 질문", ""], ["", "셋째 질문", ""]]
    pairs = read_pairs([write_csv(tmp_path / "w.csv", [HEADER, *repeated("나", 20), *block, *repeated("다", 20)])])
    assert Counter(pair.category for pair in pairs.pairs) == {"나": 20, "가": 3, "다": 20}
    assert any(note.startswith("w.csv: 2 rows without 구분 got the category of the row above") for note in pairs.notes)


@pytest.mark.parametrize("blanks", [
    [["", "하나뿐인 질문", "답"]],  # a forgotten cell
    [["나", "나 또 다른 질문", "답"], ["", "첫 질문", ""], ["", "둘째 질문", ""]],  # 나 is repeated in other rows
    [["가", "첫 질문", "답"], ["", "둘째 질문", ""], ["", "둘째 질문", ""]],  # the same question twice
])  # fmt: skip
def test_other_blank_categories_are_counted_with_the_next_step(tmp_path, blanks):
    pairs = read_pairs([write_csv(tmp_path / "w.csv", [HEADER, *repeated("나", 20), *blanks])])
    count = sum(not row[0] for row in blanks)
    assert counts_of(pairs)["without_category"] == count
    assert pairs.notes[0].startswith(f"w.csv: {count} row")
    assert "left out: fill in the category" in pairs.notes[0]


def test_a_missing_category_among_full_ones_is_not_guessed(tmp_path):
    pairs = script(tmp_path / "w.xlsx", [*SCRIPT, [None, "이건 어디에 속할까", None]])
    assert counts_of(pairs)["without_category"] == 1
    assert not any("got the category" in note for note in pairs.notes)


def test_rows_without_texts_do_not_look_like_merged_cells(tmp_path):
    rows = [["a", "하나", "답"], ["a", "둘", ""], *[["", "", ""]] * 9, ["", "셋", "답"]]
    pairs = read_pairs([write_csv(tmp_path / "w.csv", [HEADER, *rows])])
    assert counts_of(pairs) == {"read": 12, "pairs": 2, "empty": 9, "without_category": 1}


@pytest.mark.parametrize(
    ("cell", "category"),
    [("a//b", "a/b"), (" a /  b c ", "a/b c"), ("/a/", "a"), ("A/S", "A/S"), (" / ", None), ("NULL", None)],
)
def test_levels_of_a_category_are_trimmed(tmp_path, cell, category):
    pairs = read_pairs([write_csv(tmp_path / "w.csv", [HEADER, [cell, "질문", "답"], ["z", "다른 질문", "답"]])])
    assert [pair.category for pair in pairs.pairs] == [name for name in (category, "z") if name]


def test_the_same_category_in_two_unicode_forms_is_one(tmp_path):
    import unicodedata

    rows = [HEADER, ["배송", "하나", "답"], [unicodedata.normalize("NFD", "배송"), "둘", None]]
    assert len(script(tmp_path / "w.xlsx", rows).pairs) == 2


def test_a_question_in_several_categories_is_counted(tmp_path):
    rows = [HEADER, ["가", "배가 안 와요", "답 하나"], ["나", "배가 안와요!", "답 둘"]]
    assert any("1 question in several categories" in note for note in script(tmp_path / "w.xlsx", rows).notes)


def test_a_question_that_is_repeated_in_its_category_is_counted_and_keeps_all_answers(tmp_path):
    rows = [
        HEADER,
        ["배송", "언제 와요", None],
        ["배송", "언제 와요?", "오늘 도착해요."],
        ["배송", "언제  와요", "내일 도착해요."],
        ["배송", "언제 와요", "오늘  도착해요."],
        ["배송", "언제 와요", None],
        ["환불", "언제 와요", "바로 돌려 드릴게요."],
    ]
    pairs = script(tmp_path / "w.xlsx", rows)
    assert counts_of(pairs) == {"read": 6, "pairs": 2, "repeated": 4}
    assert pairs.pairs == (
        Pair("언제 와요", "오늘 도착해요.", "배송", more_answers=("내일 도착해요.",)),
        Pair("언제 와요", "바로 돌려 드릴게요.", "환불"),
    )
    assert pairs.answers["배송"] == ("오늘 도착해요.", "내일 도착해요.")
    assert [(pair.answer, pair.more_answers) for pair in pairs.with_answers()] == [
        ("오늘 도착해요.", ()), ("내일 도착해요.", ()), ("바로 돌려 드릴게요.", ()),
    ]  # fmt: skip
    assert pairs.summary().endswith("6 rows = 2 pairs + 4 repeated")


def test_null_markers_and_blank_answers_are_no_answers(tmp_path):
    rows = [HEADER, ["가", "하나", "nan"], ["가", "둘", " \u3000"], ["가", "셋", "진짜 답"]]
    pairs = read_pairs([write_csv(tmp_path / "w.csv", rows)])
    assert pairs.answers == {"가": ("진짜 답",)}


def test_a_title_above_the_header_and_other_sheets_do_not_matter(tmp_path):
    sheets = {
        "설명": [["만든 사람", "날짜"], ["우리 팀", "2026"]],
        "하나": [["상담 대화 모음"], [], *SCRIPT],
        "빈": [],
        "둘": [HEADER, ["마음/외로움", "집이 조용해서 쓸쓸해", None]],
    }
    pairs = read_pairs([write_xlsx(tmp_path / "w.xlsx", sheets)])
    assert counts_of(pairs) == {"read": 5, "pairs": 4, "answers_only": 1}
    assert pairs.files[0].rows == 5
    assert any("passed over" in note and "w.xlsx/설명" in note for note in pairs.notes)


def test_a_formula_gives_its_stored_value_and_a_missing_value_is_reported(tmp_path):
    stored, blank = Xml('t="str"', '<f>"다시 "&amp;"왔어"</f><v>다시 왔어</v>'), Xml("", '<f>"가"&amp;"나"</f>')
    pairs = script(tmp_path / "w.xlsx", [HEADER, ["가", stored, "답"], ["가", blank, None], ["가", "=1+1", None]])
    assert [pair.question for pair in pairs.pairs] == ["다시 왔어", "=1+1"]
    assert any("formulas have no stored value" in note and note.startswith("w.xlsx/대화: ") for note in pairs.notes)


def test_ten_thousand_categories_are_read_in_seconds(tmp_path):
    rows = [[f"분류/{n}", f"{n}번 상품 어디 있어요", f"{n}번 상품은 준비 중이에요."] for n in range(10_000)]
    pairs = read_pairs([write_csv(tmp_path / "w.csv", [HEADER, *rows])])
    assert len(to_book(pairs).groups) == 10_000
    assert any("(10,000 in total)" in note and len(note) < 300 for note in pairs.notes)


def test_long_and_odd_texts_do_not_break_the_reading(tmp_path):
    long = "길다 " * 170_000
    rows = [
        {"구분": "가", "유저": long, "챗봇": "네\u0000, 들었어요"},
        {"구분": "가", "유저": "\u0000\u200b", "챗봇": None},
    ]
    file = tmp_path / "w.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    pairs = read_pairs([file])
    assert (pairs.pairs[0].question, pairs.pairs[0].answer) == (long.strip(), "네, 들었어요")
    assert counts_of(pairs) == {"read": 2, "pairs": 1, "empty": 1}


_CELLS = st.sampled_from([None, "", " ", "a", "a ", "b", "네", "c/d", "c / d", "/", "NULL", "\u200b", "a//b"])


@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS), max_size=12))
@examples(200)
def test_every_row_of_a_script_is_counted(rows):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "w.parquet"
        columns = list(zip(*rows, strict=True)) or [()] * 3
        pq.write_table(pa.table({n: pa.array(c, pa.string()) for n, c in zip(HEADER, columns, strict=True)}), file)
        pairs = None
        with contextlib.suppress(DataError):  # no pair is left
            pairs = read_pairs([file])
    if pairs is None:
        texts = [[cell.strip(" \u200b") for cell in row if cell not in (None, "NULL")] for row in rows]
        assert not any(len(row) == 3 and all(row) and row[0] != "/" for row in texts)
        return
    counts = vars(pairs.counts)
    assert counts["read"] == len(rows) == sum(counts.values()) - counts["read"]
    assert counts["pairs"] == sum(bool(pair.answer or pairs.answers.get(pair.category)) for pair in pairs.pairs)
    book = to_book(pairs)
    assert set(book.question_groups.tolist()) == set(range(len(book.groups)))
    answered = {book.groups.index(pair.category) for pair in pairs.with_answers()}
    assert set(book.answer_groups.tolist()) == answered


# -- questions and answers -----------------------------------------------------------------------------------------

FAQ = [
    ["Q", "A", "label"],
    ["환불 되나요", "네, 일주일 안에 가능해요.", 0],
    ["환불되나요?", "영수증이 있으면 돼요.", 0],
]


def test_several_answers_of_a_question_stay_its_answers(tmp_path):
    pairs = read_pairs([write_csv(tmp_path / "qa.csv", [*FAQ, ["너무 신나", "저도 기뻐요.", 1]])])
    assert [pair.category for pair in pairs.pairs] == [None] * 3
    book = to_book(pairs)
    assert not book.has_categories
    assert book.questions == ("환불 되나요", "환불되나요?", "너무 신나")
    assert book.question_groups.tolist() == [0, 0, 1]
    assert [book.answers[n] for n in book.answers_of_groups[0]] == [
        "네, 일주일 안에 가능해요.",
        "영수증이 있으면 돼요.",
    ]
    assert book.answer_tones.tolist() == [0, 0, 0]


def test_repeated_rows_and_rows_without_a_text_are_counted(tmp_path):
    rows = [
        *FAQ,
        FAQ[1],
        [" 환불  되나요", FAQ[1][1], 0],
        ["답이 없는 질문", "", 0],
        ["", "질문이 없는 답", 0],
        ["", "", 2],
    ]
    pairs = read_pairs([write_csv(tmp_path / "qa.csv", rows)])
    assert counts_of(pairs) == {
        "read": 7, "pairs": 2, "repeated": 2, "without_answer": 1, "without_question": 1, "empty": 1,
    }  # fmt: skip
    assert pairs.summary() == (
        "qa.csv (question-answer, 7 rows); "
        "7 rows = 2 pairs + 1 empty + 1 without question + 1 without answer + 2 repeated"
    )


@pytest.mark.parametrize(
    "form", ["cp949", "utf-8-sig", "utf-16", "tsv", "gz", "zip", "jsonl", "json", "parquet", "xlsx"]
)
def test_every_format_gives_the_same_pairs(tmp_path, form):
    rows = [["Q", "A"], ["밤에 잠이 안 와", "따뜻한 물 한 잔 어때요?"], ["시험 붙었다", "정말 축하해요!"]]
    objects = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    file = tmp_path / f"qa.{form}"
    if form in ("cp949", "utf-8-sig", "utf-16"):
        file = write_csv(tmp_path / "qa.csv", rows, form)
    elif form == "tsv":
        write_csv(file, rows, delimiter="\t")
    elif form in ("gz", "zip"):
        plain = write_csv(tmp_path / "plain.csv", rows)
        file = tmp_path / ("qa.csv.gz" if form == "gz" else "qa.zip")
        if form == "gz":
            file.write_bytes(gzip.compress(plain.read_bytes()))
        else:
            with zipfile.ZipFile(file, "w") as packed:
                packed.write(plain, "inside/qa.csv")
    elif form == "jsonl":
        file.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in objects), encoding="utf-8")
    elif form == "json":
        file.write_text(json.dumps(objects, ensure_ascii=False), encoding="utf-8")
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(objects), file)
    else:
        write_xlsx(file, {"a": rows})
    assert read_pairs([file]).pairs == tuple(Pair(*row) for row in rows[1:])


def test_a_csv_in_another_encoding_is_read_as_the_user_says(tmp_path):
    file = write_csv(tmp_path / "qa.csv", [["Q", "A"], ["똠방각하 봤어", "아직 못 봤어요."]], "utf-16-le")
    assert read_pairs([file], PairOptions(encoding="utf-16")).pairs[0].question == "똠방각하 봤어"


def test_the_user_can_name_the_columns(tmp_path):
    rows = [["번호", "문의", "회신", "부서"], [1, "비밀번호를 잊었어요", "재설정 링크를 보냈어요.", "계정 / 로그인"]]
    file = write_xlsx(tmp_path / "faq.xlsx", {"a": rows})
    plain = read_pairs([file], PairOptions(question_column="문의", answer_column=" 회신"))
    assert plain.pairs == (Pair("비밀번호를 잊었어요", "재설정 링크를 보냈어요."),)
    assert plain.files[0].kind == "columns"
    named = PairOptions(question_column="문의", answer_column="회신", category_column="부서")
    assert read_pairs([file], named).pairs[0].category == "계정/로그인"


def test_an_unknown_shape_is_refused_with_its_columns_and_the_options(tmp_path):
    file = write_csv(tmp_path / "faq.csv", [["문의", "회신"], ["비밀번호를 잊었어요", "재설정 링크를 보냈어요."]])
    with pytest.raises(OptionError, match=r"faq\.csv .*columns are 문의, 회신; .*--question-column NAME.*--answer-col"):
        read_pairs([file])


def test_a_file_without_a_header_is_refused_without_its_texts(tmp_path):
    file = write_csv(
        tmp_path / "faq.csv", [["어제 싸웠어 너무 속상해", "그랬군요 힘들었겠어요"], ["밥 먹었어", "네 먹었어요"]]
    )
    with pytest.raises(OptionError, match="--question-column") as raised:
        read_pairs([file])
    assert "속상해" not in str(raised.value)


def test_a_wrong_column_and_half_an_option_are_refused(tmp_path):
    file = write_csv(tmp_path / "qa.csv", FAQ)
    with pytest.raises(ColumnError, match=r"no column '질문'; its columns are Q, A, label; .*--question-column"):
        read_pairs([file], PairOptions(question_column="질문", answer_column="A"))
    with pytest.raises(ColumnError, match="--category-column"):
        read_pairs([file], PairOptions(category_column="분류"))
    with pytest.raises(OptionError, match="without --answer-column"):
        PairOptions(question_column="Q")
    with pytest.raises(OptionError, match="twice"):
        PairOptions(question_column="Q", answer_column="Q")


def test_data_without_any_pair_is_refused_with_the_reasons(tmp_path):
    file = write_csv(tmp_path / "qa.csv", [["Q", "A"], ["질문뿐", ""]])
    with pytest.raises(DataError, match=r"\(1 row = 1 without answer\)"):
        read_pairs([file])
    with pytest.raises(DataError, match="no file"):
        read_pairs([])


def test_files_with_and_without_categories_make_no_book(tmp_path):
    files = [write_csv(tmp_path / "qa.csv", FAQ), write_csv(tmp_path / "w.csv", [HEADER, ["가", "하나", "답"]])]
    with pytest.raises(OptionError, match="--category-column"):
        to_book(read_pairs(files))


# -- dialogues of AI Hub -------------------------------------------------------------------------------------------

TALK = [
    "감정_대분류",
    "감정_소분류",
    "사람문장1",
    "시스템문장1",
    "사람문장2",
    "시스템문장2",
    "사람문장3",
    "시스템문장3",
]


def test_each_sentence_of_a_dialogue_is_paired_with_its_answer(tmp_path):
    rows = [
        TALK,
        ["상처", "배신당한", "친구가 거짓말했어", "마음이 아팠겠어요.", "믿었는데", "배신감이 크죠.", "응", None],
        ["불안", "우울한", "아무것도 하기 싫어", "지쳐 있나 봐요.", None, None, None, None],
        ["기쁨 ", "신이 난", "취직했어", "축하해요!", None, "어떤 일을 해요?", None, None],
        ["놀람", None, "깜짝이야", "괜찮아요?", None, None, None, None],
    ]
    pairs = read_pairs([write_xlsx(tmp_path / "감성대화.xlsx", {"a": rows})])
    assert pairs.pairs == (
        Pair("친구가 거짓말했어", "마음이 아팠겠어요.", None, "슬픔"),
        Pair("믿었는데", "배신감이 크죠.", None, "슬픔"),
        Pair("아무것도 하기 싫어", "지쳐 있나 봐요.", None, "우울"),
        Pair("취직했어", "축하해요!", None, "기쁨"),
        Pair("깜짝이야", "괜찮아요?", None, None),
    )
    assert counts_of(pairs) == {"read": 7, "pairs": 5, "without_answer": 1, "without_question": 1}
    assert pairs.summary() == (
        f"감성대화.xlsx (aihub-dialogue, {len(rows) - 1} rows); "
        "7 exchanges = 5 pairs + 1 without question + 1 without answer"
    )
    assert any("놀람 (1)" in note for note in pairs.notes)


def test_dialogues_in_json_are_read(tmp_path):
    content = {"HS01": "발표를 망쳤어", "SS01": "속상했겠어요.", "HS02": "", "SS02": "", "HS03": "", "SS03": ""}
    dialogue = {"profile": {"emotion": {"type": "E51"}}, "talk": {"content": content}}
    file = tmp_path / "감성대화.json"
    file.write_text(json.dumps([dialogue], ensure_ascii=False), encoding="utf-8")
    assert read_pairs([file]).pairs == (Pair("발표를 망쳤어", "속상했겠어요.", None, "불안"),)


def test_dialogues_without_an_emotion_are_read(tmp_path):
    file = write_csv(tmp_path / "t.csv", [["사람문장1", "시스템문장1"], ["비가 오네", "우산 챙기세요."]])
    assert read_pairs([file]).pairs == (Pair("비가 오네", "우산 챙기세요."),)


# -- answer book ---------------------------------------------------------------------------------------------------


def test_the_book_of_the_training_pairs_keeps_all_answers(tmp_path):
    pairs = script(tmp_path / "w.xlsx", SCRIPT).take(np.array([1]))
    book = to_book(pairs)
    assert (book.questions, book.groups, len(book.answers)) == (("언제 도착하나요",), ("배송/지연",), 2)
    write_book(book, tmp_path)
    assert read_book(tmp_path).answers == book.answers


def test_a_category_without_answers_stays_in_the_files_of_the_book(tmp_path):
    book = to_book(script(tmp_path / "w.xlsx", [*SCRIPT, ["기타/끝", "이건 다른 질문", None]]))
    write_book(book, tmp_path)
    read = read_book(tmp_path)
    assert (read.groups, read.questions) == (book.groups, book.questions)
    assert read.groups[-1] == "기타/끝"
    assert len(read.answers_of_groups[-1]) == 0
