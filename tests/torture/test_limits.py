"""Inputs of extreme sizes: memory is bounded, or the input is refused in one line."""

import contextlib
import gzip
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.torture.conftest import WHOLE
from tests.torture.scenes import rows

pytestmark = pytest.mark.slow

MOST = 1_500  # MB, the most memory that a command may use
SIZE = 100_000_000 if WHOLE else 40_000_000  # bytes of a row
COLUMNS = 10_000 if WHOLE else 2_000
FILES = 100_000 if WHOLE else 60


def run(folder: Path, model: Path, *args: str, seconds: float = 300) -> tuple[int, str, float]:
    """Run a command in a process of its own; return (exit code, standard error, peak memory in MB)."""
    command = [sys.executable, "-m", "emojob", *args, "--model", str(model), "--precision", "fp32"]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "EMOJOB_ENGINE": "torch"}
    with (folder / "err").open("w+", encoding="utf-8") as err:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=err)
        end, most = time.monotonic() + seconds, 0
        while process.poll() is None:
            with contextlib.suppress(OSError):  # wait4 would also count the memory of this process
                found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
                most = max(most, int(found[1])) if found else most
            assert time.monotonic() < end, "the command hangs"
            time.sleep(0.02)
        err.seek(0)
        return process.returncode, err.read(), most / 1_000


def long_row() -> str:
    return "가나다라 " * (SIZE // 13)


def write_wide(folder: Path, kind: str) -> None:
    names = [f"c{i}" for i in range(COLUMNS)]
    table = {**{name: ["1"] * 50 for name in names}, "text": [f"말 {i}" for i in range(50)]}
    if kind == "parquet":
        pq.write_table(pa.table(table), folder / "wide.parquet")
    elif kind == "csv":
        lines = [",".join(table), *(",".join(["1"] * COLUMNS + [f"말 {i}"]) for i in range(50))]
        (folder / "wide.csv").write_text("\n".join(lines) + "\n")
    else:
        lines = (json.dumps({**dict.fromkeys(names, "1"), "text": f"말 {i}"}, ensure_ascii=False) for i in range(50))
        (folder / "wide.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"] if WHOLE else ["csv", "parquet"])
def test_a_row_of_a_hundred_megabytes_is_read_or_rejected(tmp_path, tiny_model, kind):
    texts = ["안녕", long_row(), "네"]
    file = tmp_path / f"log.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"id": ["0", "1", "2"], "text": texts}), file)
    elif kind == "csv":
        file.write_text("id,text\n" + "".join(f"{i},{text}\n" for i, text in enumerate(texts)))
    else:
        lines = (json.dumps({"id": str(i), "text": text}, ensure_ascii=False) for i, text in enumerate(texts))
        file.write_text("\n".join(lines) + "\n")
    code, err, most = run(tmp_path, tiny_model, "score", file.name, "-o", "out", "--quiet")
    assert (code, err) == (0, "")
    assert most < MOST
    kept = [row["id"] for row in rows(tmp_path / "out")]
    assert kept == (["0", "1", "2"] if kind == "parquet" else ["0", "2"])
    if kind != "parquet":
        (reject,) = pq.read_table(tmp_path / "out/_emojob/rejects.parquet").to_pylist()
        assert (reject["position"], "too long" in reject["reason"]) == (2, True)
        assert len(reject["raw"]) <= 1_000


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"] if WHOLE else ["parquet"])
def test_ten_thousand_columns_are_read(tmp_path, tiny_model, kind):
    write_wide(tmp_path, kind)
    code, err, most = run(tmp_path, tiny_model, "score", f"wide.{kind}", "-o", "out", "--quiet")
    assert (code, err) == (0, "")
    assert most < MOST
    assert len(rows(tmp_path / "out")[0]) == COLUMNS + 10


def test_a_footer_of_a_million_row_groups_is_refused(tmp_path, tiny_model):
    file = tmp_path / "groups.parquet"
    if WHOLE:
        schema = pa.schema({"text": pa.string()})
        table = pa.table({"text": ["네"]}, schema=schema)
        with pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer:
            for _ in range(1_000_000):
                writer.write_table(table)
    else:  # the length of the footer is read first
        with file.open("wb") as stream:
            stream.write(b"PAR1")
            stream.truncate(200_000_000)
            stream.seek(0, os.SEEK_END)
            stream.write((100_000_000).to_bytes(4, "little") + b"PAR1")
    code, err, most = run(tmp_path, tiny_model, "score", file.name, "-o", "out", "--quiet")
    assert (code, err.count("\n")) == (2, 1)
    assert "footer" in err
    assert most < MOST
    assert not (tmp_path / "out").exists()


def test_many_small_row_groups_are_read(tmp_path, tiny_model):
    schema = pa.schema({"id": pa.int64(), "text": pa.string()})
    count = 100_000 if WHOLE else 2_000
    with pq.ParquetWriter(tmp_path / "groups.parquet", schema, use_dictionary=False) as writer:
        for i in range(count):
            writer.write_table(pa.table({"id": [i], "text": ["네"]}, schema=schema))
    code, err, most = run(tmp_path, tiny_model, "score", "groups.parquet", "-o", "out", "--quiet")
    assert (code, err) == (0, "")
    assert most < MOST
    assert [row["id"] for row in rows(tmp_path / "out")] == list(range(count))


def test_a_folder_of_many_files_is_read(tmp_path, tiny_model):
    logs = tmp_path / "logs"
    logs.mkdir()
    for i in range(FILES):
        (logs / f"{i:06d}.csv").write_text(f"id,text\n{i},말 {i}\n")
    code, err, most = run(tmp_path, tiny_model, "score", "logs", "-o", "out", "--quiet", seconds=7_200)
    assert (code, err) == (0, "")
    assert most < MOST
    assert [int(row["id"]) for row in rows(tmp_path / "out")] == list(range(FILES))


def write_rejected(file: Path, rows: int) -> None:
    """Write one row that can be read, and rows that cannot: of 1,000 characters, with a phone number in each."""
    good, bad = ('{"text": "네"}', '{"text": "') if file.suffix == ".jsonl" else ("id,text\n1,네", "")
    with file.open("w", encoding="utf-8") as stream:
        stream.write(good + "\n")
        for i in range(rows):
            stream.write(f"{bad}{'가나 다,라 ' * 140}010-{i % 9_000 + 1_000}-5678,{i}\n")


@pytest.mark.parametrize("kind", ["csv", "jsonl"] if WHOLE else ["csv"])
@pytest.mark.parametrize("out", ["out", "out.parquet"])
def test_rejected_rows_do_not_pile_up_in_memory(tmp_path, tiny_model, kind, out):
    """Twenty times as many rejected rows take hardly more memory, also when the files of rejected rows are joined."""
    peaks = []
    for rows_ in (2_000, 200_000 if WHOLE else 40_000):
        write_rejected(tmp_path / f"log.{kind}", rows_)
        args = ("score", f"log.{kind}", "-o", out, "--quiet", "--fresh", "--max-rejects", "1000000")
        code, err, most = run(tmp_path, tiny_model, *args, seconds=1_800)
        assert (code, err) == (0, "")
        rejects = tmp_path / ("out.rejects.parquet" if out.endswith("parquet") else "out/_emojob/rejects.parquet")
        assert pq.read_metadata(rejects).num_rows == rows_
        peaks.append(most)
    assert peaks[1] < peaks[0] + 200, peaks


# -- bombs -------------------------------------------------------------------------------------------------------------


def compressed(kind: str, head: bytes, block: bytes, times: int) -> bytes:
    """Return a compressed file of a head and a repeated block."""
    if kind.endswith("gz"):
        return gzip.compress(head) + gzip.compress(block, 9) * times
    codec = pa.Codec("zstd")
    return codec.compress(head, asbytes=True) + codec.compress(block, asbytes=True) * times


@pytest.mark.parametrize("kind", ["csv.gz", "csv.zst", "jsonl.zst"] if WHOLE else ["csv.zst"])
@pytest.mark.parametrize("block", [b"0", b"2,0\n"])
def test_a_few_kilobytes_that_unpack_to_a_terabyte_are_refused(tmp_path, tiny_model, kind, block):
    head = b"id,text\n1,hello\n" if kind.startswith("csv") else b'{"id": "1", "text": "hello"}\n'
    (tmp_path / f"bomb.{kind}").write_bytes(compressed(kind, head, block * ((16 << 20) // len(block)), 65_536))
    code, err, most = run(tmp_path, tiny_model, "score", f"bomb.{kind}", "-o", "out", "--quiet")
    assert (code, err.count("\n")) == (2, 1), err
    assert "unpacks to more than" in err
    assert most < MOST
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["csv.gz", "csv.zst"] if WHOLE else ["csv.gz"])
def test_a_long_line_in_little_space_is_a_rejected_row(tmp_path, tiny_model, kind):
    content = compressed(kind, b"id,text\n1,hello\n2,", b"0" * (8 << 20), 20)
    (tmp_path / f"log.{kind}").write_bytes(content + compressed(kind, b"\n3,bye\n", b"", 0))
    code, err, most = run(tmp_path, tiny_model, "score", f"log.{kind}", "-o", "out", "--quiet")
    assert (code, err) == (0, "")
    assert most < MOST
    assert [row["id"] for row in rows(tmp_path / "out")] == ["1", "3"]


def test_json_objects_without_a_common_key_are_refused(tmp_path, tiny_model):
    lines = (f'{{"text": "네", "k{i}": {i}}}' for i in range(30_000))
    (tmp_path / "sparse.jsonl").write_text("\n".join(lines))
    code, err, most = run(tmp_path, tiny_model, "score", "sparse.jsonl", "-o", "out", "--quiet")
    assert (code, err.count("\n")) == (2, 1), err
    assert "sparse.jsonl has at least 16,385 columns" in err
    assert "at most 16,384" in err
    assert most < MOST


def test_nearly_empty_columns_take_little_memory(tmp_path, tiny_model):
    names = 1_000 if WHOLE else 300
    lines = (f'{{"text": "네", "k{i % names}": {i}}}' for i in range(20_000))
    (tmp_path / "sparse.jsonl").write_text("\n".join(lines))
    table = {f"c{i}": pa.nulls(400_000, pa.int64()) for i in range(names)}
    texts = pa.array(["네", "좋아요"]).take(pa.array([0, 1] * 200_000))
    pq.write_table(pa.table({"text": texts, **table}), tmp_path / "null.parquet")
    for name, count in (("sparse.jsonl", 20_000), ("null.parquet", 400_000)):
        assert (tmp_path / name).stat().st_size < 2_000_000
        code, err, most = run(tmp_path, tiny_model, "score", name, "-o", f"{name} labelled", "--quiet")
        assert (code, err) == (0, "")
        assert sum(pq.read_metadata(one).num_rows for one in (tmp_path / f"{name} labelled").glob("*.parquet")) == count
        assert most < MOST


def test_a_page_that_unpacks_to_a_gigabyte_is_refused(tmp_path, tiny_model):
    table = pa.table({"text": pa.array(["0" * 1_000_000]).take(pa.array([0] * 1_000, pa.int32()))})
    pq.write_table(
        table, tmp_path / "page.parquet", use_dictionary=False, compression="zstd", data_page_size=1 << 30,
        write_batch_size=1_000,
    )  # fmt: skip
    del table
    assert (tmp_path / "page.parquet").stat().st_size < 1_000_000
    code, err, most = run(tmp_path, tiny_model, "score", "page.parquet", "-o", "out", "--quiet")
    assert (code, err.count("\n")) == (2, 1), err
    assert "page.parquet has a column of 953 MB that is compressed to" in err
    assert most < 700


@pytest.mark.parametrize("as_dictionary", [False, True])
def test_a_parquet_dictionary_of_long_values_takes_the_memory_of_a_few_rows(tmp_path, tiny_model, as_dictionary):
    texts = pa.array(["0123 " * (1 << 20), "네"]).take(pa.array([0, 1] * (400 if WHOLE else 200), pa.int32()))
    if as_dictionary:
        texts = texts.dictionary_encode()
    table = pa.table({"id": range(len(texts)), "text": texts})
    pq.write_table(table, tmp_path / "bomb.parquet", compression="zstd", dictionary_pagesize_limit=1 << 30)
    del table, texts
    assert (tmp_path / "bomb.parquet").stat().st_size < 1_000_000
    code, err, most = run(tmp_path, tiny_model, "score", "bomb.parquet", "-o", "out", "--quiet")
    assert (code, err) == (0, "")
    assert most < MOST
