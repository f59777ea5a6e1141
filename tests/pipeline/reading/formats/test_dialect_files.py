"""Files with unusual delimiters, quotes, headers and encodings are read, and emojob says what is unusual."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import blocks, csv
from emojob.pipeline.reading.source import Source
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.options import ReadOptions

TEXTS = ["오늘 고마웠어요", "화가 납니다", "너무 떨려요", "눈물이 나요"]


def inspected(path: Path, data: bytes | str, **options: object) -> Source:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    compression = "gzip" if path.suffix == ".gz" else None
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    return csv.inspect(InputFile(path, kind, compression), ReadOptions(**options), count_rows=True).source  # type: ignore[arg-type]


def rows(source: Source) -> list[list[str]]:
    return [list(row.values()) for batch in csv.read(source) for row in batch.batch.to_pylist()]


def rejects(source: Source) -> list[tuple[int, str]]:
    return [(one.position, one.reason) for batch in csv.read(source) for one in batch.rejects]


def table(delimiter: str, end: str = "\n", before: str = "", after: str = "") -> str:
    lines = [["id", "text", "label"], *([str(i), text, "0"] for i, text in enumerate(TEXTS))]
    return before + "".join(delimiter.join(line) + after + end for line in lines)


EXPECTED = [[str(i), text, "0"] for i, text in enumerate(TEXTS)]


@pytest.mark.parametrize(
    ("delimiter", "name"),
    [
        (",", None), ("\t", "tabs"), (";", "semicolons"), ("|", "the character |"), ("^", "the character ^"),
        ("\x01", r"the character \x01"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", ["a.csv", "a.tsv", "a.txt", "a.csv.gz"])
def test_the_delimiter_is_found_whatever_the_name(tmp_path: Path, delimiter: str, name: str | None, file: str) -> None:
    data = table(delimiter).encode()
    source = inspected(tmp_path / file, gzip.compress(data) if file.endswith("gz") else data)
    assert source.schema.names == ["id", "text", "label"]
    assert rows(source) == EXPECTED
    is_usual = delimiter == ("," if file.startswith("a.csv") else "\t")
    assert source.notes == (() if is_usual else (f"fields are separated by {name or 'commas'}",))
    assert (source.reading_key is None) == (is_usual and not file.endswith("txt"))
    assert source.file.format == {"a.csv": "csv", "a.csv.gz": "csv", "a.tsv": "tsv"}.get(
        file, "tsv" if delimiter == "\t" else "csv"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp949", "utf-8-sig"])
def test_excel_s_unicode_text_is_read(tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "SPLIT_ROWS", 1)
    monkeypatch.setattr(blocks, "BLOCK", 40)
    source = inspected(tmp_path / "a.csv", table("\t", "\r\n").encode(encoding))
    assert rows(source) == EXPECTED
    assert bool(source.split_points) == (not encoding.startswith("utf-16"))


def test_a_line_that_names_the_delimiter_decides(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", table(";", before="sep=;\n"))
    assert rows(source) == EXPECTED
    assert source.notes == ("fields are separated by semicolons; header in line 2",)


@pytest.mark.parametrize(
    "title", ["상담 이력\n", "상담 이력\n기간: 2026-11-01 ~ 2026-11-20\n\n", "상담 이력,,\n,,\n", "\n\n작성,홍길동\n\n"]
)
def test_a_title_above_the_header_is_skipped(tmp_path: Path, title: str) -> None:
    source = inspected(tmp_path / "a.csv", table(",", before=title))
    assert rows(source) == EXPECTED
    assert source.notes == (f"header in line {title.count(chr(10)) + 1}",)
    assert rows(inspected(tmp_path / "a.csv", table(",", before=title), skip_rows=title.count("\n"))) == EXPECTED


def test_a_row_with_the_word_of_a_column_is_no_header(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", "a,b\n1,네\n2,message\n3,아니요\n")
    assert source.schema.names == ["a", "b"]
    assert len(rows(source)) == 3
    source = inspected(tmp_path / "a.csv", "id,text\n가,나,다\n라,마,바\n")  # the header is short
    assert source.schema.names == ["id", "text"]
    assert len(rejects(source)) == 2


def test_the_header_given_by_its_position_decides(tmp_path: Path) -> None:
    data = "id,text\n1,가\nid,memo\n2,나\n"
    source = inspected(tmp_path / "a.csv", data, skip_rows=2)
    assert source.schema.names == ["id", "memo"]
    assert rows(source) == [["2", "나"]]
    source = inspected(tmp_path / "a.csv", table(",", before="상담 이력\n"), skip_rows=0)
    assert source.schema.names == ["상담 이력"]
    with pytest.raises(DataError, match="no header after 9 lines; give a smaller number with --skip-rows"):
        inspected(tmp_path / "a.csv", data, skip_rows=9)


def test_names_are_trimmed_and_values_are_not(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", "id, text ,\tspeaker\n0, 네 , 가\n")
    assert source.schema.names == ["id", "text", "speaker"]
    assert rows(source) == [["0", " 네 ", " 가"]]
    assert inspected(tmp_path / "a.csv", "text,text \n가,나\n").schema.names == ["text", "text "]


def test_empty_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    for header in ("id,text", "id,text,", "id,text,,"):
        data = f"{header}\n" + "".join(f"{i},{text},,\n" for i, text in enumerate(TEXTS))
        source = inspected(tmp_path / "a.csv", data)
        assert source.schema.names == ["id", "text"]
        assert rows(source) == [row[:2] for row in EXPECTED]
        assert source.notes == ("2 empty columns without a name are left out",)
    source = inspected(tmp_path / "a.csv", "id,,text\n1,,가\n2,,나\n")
    assert rows(source) == [["1", "가"], ["2", "나"]]
    assert source.notes == ("1 empty column without a name is left out",)


def test_a_value_in_a_column_without_a_name_is_not_lost(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", "id,text,,\n1,가,,\n2,나,비고,\n")
    assert source.schema.names == ["id", "text", ""]
    assert rows(source) == [["1", "가", ""], ["2", "나", "비고"]]
    source = inspected(tmp_path / "a.csv", "id,text,,\n1,가,x,y\n")
    assert source.schema.names == ["id", "text", "column_3", "column_4"]
    many = "".join(f"{i},{'가' * 50},\n" for i in range(5000))  # beyond the sample
    source = inspected(tmp_path / "a.csv", f"id,text,\n{many}5000,나,비고\n{many}")
    assert rejects(source) == [(5001, "a value in column 3, which has no name")]
    assert len(rows(source)) == 10_000


def test_rows_without_the_delimiter_behind_other_rows_are_rows(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", 'id,text\n1,가,\n2,나,\n3,다\nid,text\n4,"라, 마"\n5\n6,바,\n7,사,\n')
    assert rows(source) == [["1", "가"], ["2", "나"], ["3", "다"], ["4", "라, 마"], ["6", "바"], ["7", "사"]]
    assert rejects(source) == [(4, "header again"), (6, "1 field where the header has 2")]


def test_a_header_between_rows_is_rejected(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", "\ufeff" + 3 * "id,text\n1,가\n" + "\ufeffid,text\n2,id,\n3,text\n")
    assert rejects(source) == [
        (2, "header again"), (4, "header again"), (6, "header again"), (7, "3 fields where the header has 2"),
    ]  # fmt: skip
    assert rows(source) == [["1", "가"], ["1", "가"], ["1", "가"], ["3", "text"]]


@pytest.mark.parametrize("again", ["ID, Text ,WHO", " id,text,Who", '"Id","text","who"'])
def test_a_header_with_other_case_or_spaces_is_a_header(tmp_path: Path, again: str) -> None:
    source = inspected(tmp_path / "a.csv", f"id,text,who\n1,가,나\n{again}\n2,text,who\n")
    assert rejects(source) == [(2, "header again")]
    assert rows(source) == [["1", "가", "나"], ["2", "text", "who"]]


def test_a_header_in_another_order_is_refused(tmp_path: Path) -> None:
    data = "id,text,who\n1,가\n2,나,다\nwho,id,text\n라,3,마\n"
    with pytest.raises(DataError, match=r"row 3 is another header .* order \(who, id, text\); split the file"):
        inspected(tmp_path / "a.csv", data)
    assert len(rows(inspected(tmp_path / "a.csv", "id,text,who\n1,가,나\nwho,who,id\n"))) == 2


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
def test_cr_cr_lf_is_one_line_end(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", block)
    data = "text\r\r\n가\r\r\n\r\r\n" + '"나\r\r\n다"\r\r\n라'
    assert rows(inspected(tmp_path / "a.csv", data)) == [["가"], [""], ["나\r\r\n다"], ["라"]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_backslashes_before_quotes(tmp_path: Path, line_end: str) -> None:
    lines = [
        "id,text",
        r'0,"그가 \"네\" 라고"',
        r'1,"C:\new\\"',
        r'2,"\"안녕\", 하고"',
        r"3,C:\new",
        '4,"두\n줄 \\" 말"',
    ]
    source = inspected(tmp_path / "a.csv", line_end.join(lines))
    assert [row[1] for row in rows(source)] == ['그가 "네" 라고', "C:\\new\\", '"안녕", 하고', "C:\\new", '두\n줄 " 말']
    assert source.notes == ("a backslash escapes the character after it",)
    source = inspected(tmp_path / "a.csv", line_end.join(lines), escape="double")
    assert "text after a closing quote" in dict(rejects(source)).values()


def test_a_backslash_outside_quotes_escapes_delimiters_and_line_ends(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.tsv", 'id\ttext\n1\t가\\\t나\n2\t다\\\n라\n3\t\\N\n4\t"마\\\\\n')
    assert rows(source) == [["1", "가\t나"], ["2", "다\n라"], ["3", "\\N"], ["4", '"마\\']]


def test_single_quotes(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", "id,text\n1,'네, it''s'\n2,'두\n줄'\n3,\"말\n")
    assert rows(source) == [["1", "네, it's"], ["2", "두\n줄"], ["3", '"말']]
    assert source.notes == ("fields are in single quotes",)
    source = inspected(tmp_path / "a.csv", "id,text\n1,'네'\n2,아니요\n3,it's\n", quote="'")
    assert rows(source) == [["1", "네"], ["2", "아니요"], ["3", "it's"]]


@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_a_stray_quote_joins_no_rows(tmp_path: Path, delimiter: str) -> None:
    lines = ["id,document,label", '1,"명작,1', '2,최고 ",1', "3,그냥 그래요,0", "4,탭이,하나 더,0"]
    data = "\n".join(lines).replace(",", delimiter)
    source = inspected(tmp_path / ("a.tsv" if delimiter == "\t" else "a.csv"), data)
    assert len(rows(source)) + len(rejects(source)) == 4
    assert ["2", '최고 "', "1"] in rows(source)
    assert all("\n" not in cell for row in rows(source) for cell in row)


def test_a_stray_quote_beyond_the_sample_joins_no_rows(tmp_path: Path) -> None:
    good = "".join(f'{i},"네, {i}",{i % 2}\n' for i in range(20_000))
    source = inspected(tmp_path / "a.csv", f'id,text,label\n{good}1,"명작,1\n2,최고 ",1\n3,"두\n줄",1\n{good}')
    assert rejects(source) == [(20_001, "quote never closed")]
    found = rows(source)
    assert found[20_000:20_002] == [["2", '최고 "', "1"], ["3", "두\n줄", "1"]]
    assert len(found) == 40_002


def test_rows_of_several_lines_stay_rows(tmp_path: Path) -> None:
    data = "id,text\n" + "".join(f'{i},"첫 줄\n{i}, 둘째 줄"\n' for i in range(5))
    assert rows(inspected(tmp_path / "a.csv", data)) == [[str(i), f"첫 줄\n{i}, 둘째 줄"] for i in range(5)]


def test_commas_in_a_file_of_one_column_are_text(tmp_path: Path) -> None:
    source = inspected(tmp_path / "a.csv", "text\n네, 좋아요\n아니요\n그, 저, 음\n")
    assert rows(source) == [["네, 좋아요"], ["아니요"], ["그, 저, 음"]]
    assert source.notes == ("each line is one field",)


def test_a_text_that_is_no_table_is_refused_and_can_be_read_by_line(tmp_path: Path) -> None:
    data = "안녕하세요, 상담사입니다\n네, 안녕하세요\n\n끝"
    with pytest.raises(DataError, match=r"a\.txt is not a table: .* give --format lines"):
        inspected(tmp_path / "a.txt", data)
    source = inspected(tmp_path / "a.txt", data, format="lines")
    assert (source.file.format, source.schema.names, source.rows) == ("lines", ["text"], 4)
    assert rows(source) == [["안녕하세요, 상담사입니다"], ["네, 안녕하세요"], [""], ["끝"]]
    source = inspected(tmp_path / "a.txt", "a;b\n1;2\n", format="csv")
    assert source.schema.names == ["a", "b"]


def test_options_settle_the_dialect(tmp_path: Path) -> None:
    data = 'id;text\n1;"네, 좋아요\n2;음'
    source = inspected(tmp_path / "a.csv", data, delimiter=";", quote="none")
    assert rows(source) == [["1", '"네, 좋아요'], ["2", "음"]]
    assert inspected(tmp_path / "a.csv", "a\tb\n1\t2\n", delimiter="tab").schema.names == ["a", "b"]
    assert inspected(tmp_path / "a.csv", "a\x01b\n1\x012\n", delimiter=r"\x01").schema.names == ["a", "b"]
    assert inspected(tmp_path / "a.csv", "id,te;xt\n1,2;3\n", delimiter=";").schema.names == ["id,te", "xt"]


def test_a_delimiter_that_does_not_occur_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--delimiter ';' does not separate .* by commas; omit --delimiter"):
        inspected(tmp_path / "a.csv", "id,text\n1,네\n", delimiter=";")
    assert rows(inspected(tmp_path / "a.csv", "text\n네\n", delimiter=";")) == [["네"]]


@pytest.mark.parametrize(
    "given", [{"delimiter": "ab"}, {"delimiter": "||"}, {"delimiter": "가"}, {"delimiter": "1"}, {"delimiter": '"'},
              {"quote": "x"}, {"escape": "x"}, {"skip_rows": -1}, {"format": "xml"}]
)  # fmt: skip
def test_wrong_options_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=f"--{next(iter(given)).replace('_', '-')} "):
        ReadOptions(**given)  # type: ignore[arg-type]


STRAY = {
    "two quotes that are far apart": (
        '10,"인용 시작,가\n11,인용 끝",나\n',
        [["10", '"인용 시작', "가"], ["11", '인용 끝"', "나"]],
    ),
    "quoted words": (
        '10,"네" 라고,가\n11,"아니요" 라고,나\n',
        [["10", '"네" 라고', "가"], ["11", '"아니요" 라고', "나"]],
    ),
    "a quote that never closes": ('10,"네,가\n', [["10", '"네', "가"]]),
}


@pytest.mark.parametrize("fault", STRAY)
@pytest.mark.parametrize("delimiter", [",", "|", ";", "\t"])
def test_if_no_field_is_in_quotes_then_quotes_are_ordinary_characters(
    tmp_path: Path, fault: str, delimiter: str
) -> None:
    lines, expected = STRAY[fault]
    good = [[str(number), f"말 {number}", "가"] for number in range(20, 24)]
    data = "id,text,who\n" + lines + "".join(f"{','.join(row)}\n" for row in good)
    source = inspected(tmp_path / "a.txt", data.replace(",", delimiter))
    assert rows(source) == [*expected, *good]
    assert "quotes are ordinary characters" in " ".join(source.notes)


def test_a_text_that_quotes_a_row_stays_one_text(tmp_path: Path) -> None:
    said = [
        ["2026-11-20 08:58:00", "이하나", "안녕하세요"],
        ["2026-11-20 08:59:00", "박두리", '원문:\n2026-11-20 09:00:00,"김","안녕"\n이렇게요'],
        ["2026-11-20 09:01:00", "이하나", "네\n2026-11-20 09:00:00,김,안녕"],
    ]
    lines = [f"{day}," + ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) for day, *cells in said]
    source = inspected(tmp_path / "KakaoTalk_Chat_a.csv", "\n".join(["Date,User,Message", *lines, ""]))
    assert rows(source) == said
    assert rejects(source) == []
