"""CSV and TSV: values come back unchanged with blocks of any size; malformed rows are rejected individually."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import blocks
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.schemas.errors import ColumnError, DataError
from emojob.schemas.options import ReadOptions
from tests.examples import examples

Rows = list[list[str]]


def stored(folder: Path, data: bytes | str, name: str = "a.csv") -> InputFile:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return find_inputs([str(path)])[0]


def read(file: InputFile, column: str | None = None, rows: int = 1000, start_row: int = 0) -> list[RowBatch]:
    dataset = open_dataset([file], ReadOptions(column))
    return list(read_batches(dataset, dataset.sources[0], start_row, rows))


def values(found: list[RowBatch]) -> Rows:
    return [list(row.values()) for row_batch in found for row in row_batch.batch.to_pylist()]


def rejects(found: list[RowBatch]) -> list[tuple[int, str]]:
    return [(one.position, one.reason) for row_batch in found for one in row_batch.rejects]


def written(rows: Rows, delimiter: str = ",", line_end: str = "\n", name: str = "utf-8") -> bytes:
    text = io.StringIO(newline="")
    # Up to Python 3.12 the writer leaves a CR without quotes where it is not part of the line end.
    quoting = csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(rows)
    return text.getvalue().encode(name)


@contextmanager
def blocks_of(size: int) -> Iterator[None]:
    before, blocks.BLOCK = blocks.BLOCK, size
    try:
        yield
    finally:
        blocks.BLOCK = before


# -- values --------------------------------------------------------------------------------------------------------


def test_every_column_is_a_string_and_no_value_is_changed(tmp_path: Path) -> None:
    file = stored(tmp_path, "text,id,x\n 안녕 ,007,\nNULL,1e5,NA\n,2026-01-01,true\n")
    dataset = open_dataset([file])
    assert dataset.schema == pa.schema([(name, pa.string()) for name in ("text", "id", "x")])
    assert values(read(file)) == [[" 안녕 ", "007", ""], ["NULL", "1e5", "NA"], ["", "2026-01-01", "true"]]


def test_quotes_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    file = stored(tmp_path, 'text,b\n"네, ""알겠어요""\r\n두 번째 줄",1\r\n말 "그대로",2\n')
    assert values(read(file)) == [['네, "알겠어요"\r\n두 번째 줄', "1"], ['말 "그대로"', "2"]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_line_end_ends_a_row_and_the_last_may_lack_it(tmp_path: Path, line_end: str, last: bool) -> None:
    data = written([["text", "b"], ["하나", "1"], ["둘", "2"]], line_end=line_end)
    file = stored(tmp_path, data if last else data.removesuffix(line_end.encode()))
    for size in (1, 3, 1000):
        with blocks_of(size):
            assert values(read(file)) == [["하나", "1"], ["둘", "2"]]


def test_blank_lines_are_rows_only_in_a_file_of_one_column(tmp_path: Path) -> None:
    assert values(read(stored(tmp_path, "\ntext,b\n\n가,1\n\r\n\n나,2\n\n"))) == [["가", "1"], ["나", "2"]]
    assert values(read(stored(tmp_path, 'text\n\n가\n""\n'))) == [[""], ["가"], [""]]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.zst"])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    data = written([["text", "b"], ["안녕", "1"]], "," if "csv" in name else "\t")
    packed = gzip.compress(data) if name.endswith("gz") else pa.compress(data, "zstd", asbytes=True)
    assert values(read(stored(tmp_path, packed, name))) == [["안녕", "1"]]


@pytest.mark.parametrize("name", ["utf-8", "utf-8-sig", "cp949"])
def test_encodings_come_out_the_same(tmp_path: Path, name: str) -> None:
    file = stored(tmp_path, written([["문장", "b"], ["펲시, 뷁", "1"]], name=name))
    assert open_dataset([file]).sources[0].encoding == name
    assert open_dataset([file]).text_column == "문장"
    assert values(read(file)) == [["펲시, 뷁", "1"]]


def test_unusual_texts_are_rows_like_any_other(tmp_path: Path) -> None:
    odd = ["", "   ", "가" * 1_000_000, "\x00\x01\x7f binary", "\ufeff", "😀" * 100]
    file = stored(tmp_path, written([["text", "b"], *([text, "1"] for text in odd)]))
    assert values(read(file)) == [[text, "1"] for text in odd]
    assert rejects(read(file)) == []


def test_a_header_without_rows_is_an_empty_dataset(tmp_path: Path) -> None:
    file = stored(tmp_path, "text,b\n")
    assert open_dataset([file]).schema.names == ["text", "b"]
    assert read(file) == []


def test_a_file_without_a_header_is_refused(tmp_path: Path) -> None:
    for data in ("\n\r\n\n", "\ufeff", "\ufeff\n"):
        with pytest.raises(DataError, match="is empty"):
            open_dataset([stored(tmp_path, data)])
    with pytest.raises(DataError, match=r"the header of .* cannot be read \(quote never closed\)"):
        open_dataset([stored(tmp_path, '"text,b\n1,2\n')])


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match=r"more than once: id; rename the columns"):
        open_dataset([stored(tmp_path, "id,text,id\n1,2,3\n")])
    names = open_dataset([stored(tmp_path, 'ID,text,id,"a ""b""\nc",\n1,2,3,4,5\n')]).schema.names
    assert names == ["ID", "text", "id", 'a "b"\nc', ""]


# -- malformed rows -------------------------------------------------------------------------------------------------


def test_rows_with_too_many_or_too_few_fields_are_rejected_with_their_numbers(tmp_path: Path) -> None:
    file = stored(tmp_path, 'text,b\n가,1\n\n나,2,3\n다\n라,4\n"마\n바",5,6,7\n사,8\n')
    found = read(file)
    assert values(found) == [["가", "1"], ["라", "4"], ["사", "8"]]
    (row_batch,) = found
    assert (row_batch.first_row, row_batch.rows_read) == (0, 6)
    assert row_batch.rejects == [
        Reject(2, "3 fields where the header has 2", "나,2,3"),
        Reject(3, "1 field where the header has 2", "다"),
        Reject(5, "4 fields where the header has 2", '"마\n바",5,6,7'),
    ]


def test_a_quote_that_never_closes_costs_one_line(tmp_path: Path) -> None:
    file = stored(tmp_path, '"text",b\n가,1\n나,"2\n다,3\n라,4\n마,"5')
    for size in (1, 5, 1000):
        with blocks_of(size):
            found = read(file)
            assert values(found) == [["가", "1"], ["다", "3"], ["라", "4"]]
            assert rejects(found) == [(2, "quote never closed"), (5, "quote never closed")]


def test_a_quote_that_closes_at_the_next_quote_costs_one_line(tmp_path: Path) -> None:
    file = stored(tmp_path, 'text,b\n가,"1\n나,"둘"\n다,"셋"\n"라" 마,5\n바,6\n')
    for size in (1, 5, 1000):
        with blocks_of(size):
            found = read(file)
            assert values(found) == [["나", "둘"], ["다", "셋"], ["바", "6"]]
            assert rejects(found) == [(1, "quote never closed"), (4, "text after a closing quote")]


def test_rows_that_do_not_decode_are_rejected_individually(tmp_path: Path) -> None:
    lines = [f"말 {i},{i}".encode() for i in range(1000)]
    lines[500] = b"\xff,500"
    lines[501] = b"a,b,c"
    lines[502] = b'"\n\xed\xa0\x80",502'
    found = read(stored(tmp_path, b"text,b\n\n" + b"\n\n".join(lines) + b"\n"), rows=10_000)
    assert rejects(found) == [
        (501, "not valid utf-8"),
        (502, "3 fields where the header has 2"),
        (503, "not valid utf-8"),
    ]
    assert [row[1] for row in values(found)] == [str(i) for i in range(1000) if i not in (500, 501, 502)]
    cp949 = [line.decode(errors="ignore").encode("cp949") for line in lines[:500]] + [b'\xff,"1"', b"\x80,2"]
    found = read(stored(tmp_path, b"text,b\n" + b"\n".join(cp949)), rows=10_000)
    assert rejects(found) == [(501, "not valid cp949"), (502, "not valid cp949")]
    assert len(values(found)) == 500


def test_a_row_beyond_the_limit_is_rejected_and_reading_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LONGEST_ROW", 1000)
    monkeypatch.setattr(blocks, "BLOCK", 100)
    long = "가" * 3000
    found = read(stored(tmp_path, f'"text",b\n1,1\n{long},2\n3,3\n4,"4\n' + "5,5\n" * 1000))
    assert rejects(found) == [(2, "row too long"), (4, "quote never closed")]
    assert len(found[0].rejects[0].raw) <= 1000
    assert len(values(found)) == 1002


def test_what_is_kept_of_a_rejected_row_is_bounded(tmp_path: Path) -> None:
    found = read(stored(tmp_path, "text,b\n" + "가" * 5000 + "\n" + '"' + "나" * 5000))
    assert [one.raw for one in found[0].rejects] == ["가" * 2000, '"' + "나" * 1999]


def test_a_row_far_into_a_file_is_rejected_and_reading_continues(tmp_path: Path) -> None:
    lines = [b"text,b", *[b"a,1"] * 100_000, b"a,1,2", b'a,"1', *[b"a,1"] * 100_000]
    found = read(stored(tmp_path, b"\n".join(lines)), rows=61_440)
    assert rejects(found) == [(100_001, "3 fields where the header has 2"), (100_002, "quote never closed")]
    assert [row_batch.rows_read for row_batch in found] == [61_440, 61_440, 61_440, 200_002 - 3 * 61_440]
    assert sum(row_batch.batch.num_rows for row_batch in found) == 200_000


# -- TSV -----------------------------------------------------------------------------------------------------------


def test_a_quoted_tsv_is_read_with_quotes(tmp_path: Path) -> None:
    file = stored(tmp_path, written([["text", "b"], ["가\t나", "1"], ["다\n라", '"2"']], "\t"), "a.tsv")
    assert open_dataset([file]).sources[0].dialect.quote
    assert values(read(file)) == [["가\t나", "1"], ["다\n라", '"2"']]


@pytest.mark.parametrize(
    "body",
    ['"가\t1\n나\t2\n', '"가"나\t1\n다\t2\n', '"가\t1\n나\t2\n다"\t3\n', '가\t"\n나\t2\n'],
    ids=["open", "text behind", "closed in a later row", "lone"],
)
def test_a_tsv_whose_quotes_are_ordinary_characters_loses_no_row(tmp_path: Path, body: str) -> None:
    file = stored(tmp_path, "text\tb\n" + body, "a.tsv")
    assert not open_dataset([file]).sources[0].dialect.quote
    assert values(read(file)) == [line.split("\t") for line in body.splitlines()]
    assert rejects(read(file)) == []


def test_a_tsv_that_is_ragged_either_way_is_read_with_quotes(tmp_path: Path) -> None:
    file = stored(tmp_path, 'text\tb\n"가\t나"\t1\n다\n', "a.tsv")
    found = read(file)
    assert values(found) == [["가\t나", "1"]]
    assert rejects(found) == [(2, "1 field where the header has 2")]


def test_a_ragged_line_does_not_decide_the_quoting_of_a_tsv(tmp_path: Path) -> None:
    many = "가\t1\n" * 200
    unquoted = stored(tmp_path, 'text\tb\n"가"나\t1\n' + many + "\t\t\t\n", "a.tsv")
    assert not open_dataset([unquoted]).sources[0].dialect.quote
    assert len(values(read(unquoted))) == 201
    quoted = stored(tmp_path, "text\tb\n" + '"가\n나"\t1\n' * 200, "b.tsv")
    assert open_dataset([quoted]).sources[0].dialect.quote
    assert len(values(read(quoted))) == 200


# -- properties ----------------------------------------------------------------------------------------------------

texts = st.text(
    st.one_of(st.sampled_from('",\t\r\n 가나'), st.characters(codec="utf-8", exclude_characters="\ufeff")), max_size=6
)
korean = st.text(st.sampled_from('",\t\r\n ab가힣뷁펲'), max_size=6)


def tables(cells: st.SearchStrategy[str]) -> st.SearchStrategy[Rows]:
    return st.integers(1, 4).flatmap(
        lambda columns: st.lists(st.lists(cells, min_size=columns, max_size=columns), max_size=12)
    )


def round_trip(rows: Rows, data: bytes, name: str, block: int, row_batch: int, start: int) -> None:
    columns = len(rows[0])
    with tempfile.TemporaryDirectory() as folder, blocks_of(block):
        file = stored(Path(folder), data, name)
        dataset = open_dataset([file], ReadOptions(rows[0][0]))
        found = list(read_batches(dataset, dataset.sources[0], start, row_batch))
    assert values(found) == rows[1 + start :]
    assert all(batch.batch.num_columns == columns for batch in found)
    assert [one.first_row for one in found] == list(range(start, max(start, len(rows) - 1), row_batch))


@given(tables(texts), st.sampled_from(["a.csv", "a.tsv"]), st.integers(1, 9), st.integers(1, 5), st.integers(0, 4))
@examples(150)
def test_anything_written_comes_back(rows: Rows, name: str, block: int, row_batch: int, start: int) -> None:
    rows = [[f"c{i}" for i in range(len(rows[0]) if rows else 2)], *rows]
    round_trip(rows, written(rows, "," if name == "a.csv" else "\t"), name, block, row_batch, start)


@given(tables(korean), st.sampled_from(["\n", "\r\n"]), st.integers(1, 9), st.integers(1, 5))
@examples(75)
def test_anything_written_in_cp949_comes_back(rows: Rows, line_end: str, block: int, row_batch: int) -> None:
    rows = [["문장", *(f"c{i}" for i in range(1, len(rows[0]) if rows else 2))], *rows]
    round_trip(rows, written(rows, line_end=line_end, name="cp949"), "a.csv", block, row_batch, 0)


BAD = {
    "a,b,c,d,e\n": "5 fields where the header has 3",
    '"a" b,c,d\n': "text after a closing quote",
    "가\n": "1 field where the header has 3",
}


@given(
    st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(sorted(BAD))), min_size=1, max_size=4).filter(
        lambda bad: sum(line[0] == '"' for _, line in bad) < 3  # with more, quotes are ordinary characters
    ),
    st.integers(1, 30),
    st.integers(1, 5),
)
@examples(100)
def test_only_the_bad_row_is_lost(rows: Rows, bad: list[tuple[int, str]], block: int, row_batch: int) -> None:
    lines = [(written([row]), None) for row in rows]
    for at, line in bad:
        lines.insert(min(at, len(lines)), (line.encode(), BAD[line]))
    with tempfile.TemporaryDirectory() as folder, blocks_of(block):
        file = stored(Path(folder), b'"text",b,c\n' + b"".join(line for line, _ in lines))
        found = read(file, rows=row_batch)
    assert values(found) == rows
    assert rejects(found) == [(i, reason) for i, (_, reason) in enumerate(lines, 1) if reason]
    assert [one.rows_read for one in found[:-1]] == [row_batch] * (len(found) - 1)
    assert sum(one.rows_read for one in found) == len(lines)
    assert all(
        one.first_row < reject.position <= one.first_row + one.rows_read for one in found for reject in one.rejects
    )
