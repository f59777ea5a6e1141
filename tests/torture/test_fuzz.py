"""Any bytes: a reader never fails with an unknown error, hangs, loses a row or returns a row twice.

Each row has a mark. Whatever is damaged, each mark comes out once: in a row, or in a rejected row. The seeds are
EMOJOB_TORTURE_SEED and the numbers after it. The full form reads more than a million rows; -s prints how many.
"""

import contextlib
import gzip
import io
import json
import random
import re
import resource
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.jobs.main import cli, main
from emojob.pipeline.models.model_folder import find_folder, read_tokenizer
from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.formats import blocks, encoding
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.columns import RAW_CHARACTERS
from emojob.schemas.errors import EmojobError
from emojob.schemas.options import ReadOptions
from tests.examples import examples
from tests.payloads import ALL
from tests.torture.conftest import SEED, WHOLE
from tests.torture.fuzzing.targets import TARGETS, in_one_line

pytestmark = pytest.mark.slow

ROUNDS, ROWS = (260, 1_500) if WHOLE else (6, 500)
TOP = Path(__file__).parent.parent.parent
SECONDS = 60  # limit for each file, whatever is damaged

MARK = re.compile(r"№(\d+)№")
INSERTIONS = (
    b'"', b'""', b"'", b",", b",,,,", b"\t", b"\r", b"\r\n", b"\n", b"\x00", b"\xff", b"\xfe\xff",
    b"\xef\xbb\xbf", b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b'{"a":', b"null", b"\x1a", b"\xb0\xa1",
    b"\xa4", b"\xea\xb0", b"\xed\xa0\x80", b"1e999", b"=1+1",
    *(text.encode("utf-8", "surrogatepass") for text in ALL if len(text) < 200),
)  # fmt: skip


def damaged(line: bytes, chosen: random.Random) -> bytes:
    """Return a line with inserted bytes, or in another order."""
    at = chosen.randrange(len(line) + 1)
    way = chosen.randrange(5)
    if way == 0:
        return line[:at] + chosen.choice(INSERTIONS) + line[at:]
    if way == 1:
        many = chosen.choice(INSERTIONS) * chosen.randrange(
            2, 30
        )  # only the first characters of a rejected row are kept
        return line[:at] + many[: RAW_CHARACTERS // 2] + line[at:]
    if way == 2:
        return line[:at] + bytes(chosen.randrange(256) for _ in range(chosen.randrange(1, 8))) + line[at:]
    if way == 3:
        return line[at:] + line[:at]
    return chosen.choice(INSERTIONS) + line + chosen.choice(INSERTIONS)


def lines_of(kind: str, chosen: random.Random, codec: str) -> list[bytes]:
    """Return the lines of a file. Some lines are damaged, but each mark is whole."""
    texts = ["안녕하세요", "정말 고마워요", "왜 이렇게 늦어요", "", "네", "두 줄\n짜리", '따옴표 "안"', "쉼표, 안"]
    found = []
    for number in range(ROWS):
        text = chosen.choice(texts)
        if kind == "jsonl":
            value = json.dumps(text, ensure_ascii=chosen.random() < 0.2)
            line = f'{{"text": {value}, "mark": "№{number}№"}}'.encode(codec, "replace")
        else:
            quoted = (
                '"' + text.replace('"', '""') + '"' if re.search(r'[",\n]', text) or chosen.random() < 0.2 else text
            )
            line = f"№{number}№{',' if kind == 'csv' else chr(9)}{quoted}".encode(codec, "replace")
        mark = f"№{number}№".encode(codec)
        if chosen.random() < 0.012 and mark in line:
            before, _, after = line.partition(mark)
            line = damaged(before, chosen) + mark + damaged(after, chosen)
        found.append(line)
    return found


def marks(file: Path, wanted: str) -> tuple[list[int], int]:
    """Read a file; return the marks of its rows and rejected rows, in order, and the number of rows."""
    found, rows = [], 0
    dataset = open_dataset(find_inputs([str(file)]), ReadOptions("text", wanted))
    for row_batch in read_batches(dataset, dataset.sources[0]):
        rows += row_batch.rows_read
        assert row_batch.rows_read == row_batch.batch.num_rows + len(row_batch.rejects)
        cells = [
            cell for column in row_batch.batch.columns for cell in column.cast(pa.large_string()).to_pylist() if cell
        ]
        content = "\n".join([*cells, *(one.raw for one in row_batch.rejects)])
        found += list(map(int, MARK.findall(content)))
    return found, rows


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_damaged_rows_cost_no_other_row(tmp_path, kind, monkeypatch):
    read = 0
    for seed in range(SEED, SEED + ROUNDS):
        chosen = random.Random(f"{kind} {seed}")
        codec = chosen.choice(["utf-8", "utf-8", "cp949"])
        monkeypatch.setattr(blocks, "BLOCK", chosen.choice([64, 1_000, 1 << 20]))
        end = chosen.choice([b"\n", b"\r\n"])
        head = [] if kind == "jsonl" else [b"mark,text" if kind == "csv" else b"mark\ttext"]
        content = end.join([*head, *lines_of(kind, chosen, codec)]) + (end if chosen.random() < 0.8 else b"")
        file = tmp_path / f"log.{kind}{'.gz' if seed % 5 == 0 else ''}"
        file.write_bytes(gzip.compress(content, 1) if file.suffix == ".gz" else content)
        begun = time.monotonic()
        try:
            found, rows = marks(file, codec)
        except EmojobError as error:  # for example, too many bytes are invalid in the encoding
            in_one_line(error)
            continue
        finally:
            assert time.monotonic() - begun < SECONDS
        read += rows
        expected = set(map(int, MARK.findall(content.decode(codec, "replace"))))
        assert len(found) == len(set(found)), (kind, seed)
        assert set(found) == expected, (kind, seed, sorted(expected - set(found))[:5])
    assert read >= ROUNDS * ROWS // 3
    print(f"{kind}: {read:,} rows, seeds {SEED} to {SEED + ROUNDS - 1}")  # noqa: T201


def test_damaged_parquet_is_refused_or_read(tmp_path):
    file, whole = tmp_path / "log.parquet", tmp_path / "whole.parquet"
    texts, lists = [f"말 {i % 50}" for i in range(2_000)], [[], None, ["네", None]] * 667
    pq.write_table(
        pa.table({"mark": range(2_000), "text": texts, "list": lists[:2_000]}), whole, row_group_size=300,
        write_page_index=True,
    )  # fmt: skip
    content = whole.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    chosen = random.Random(SEED)
    for _ in range(20_000 if WHOLE else 400):
        data = bytearray(content)
        for _ in range(chosen.randrange(1, 4)):
            at = chosen.choice([chosen.randrange(len(data)), len(data) - 1 - chosen.randrange(footer)])
            data[at] = chosen.randrange(256)
        if chosen.random() < 0.2:
            del data[chosen.randrange(len(data)) :]
        file.write_bytes(data)
        with contextlib.suppress(EmojobError):
            dataset = open_dataset(find_inputs([str(file)]), ReadOptions("text"))
            read = list(read_batches(dataset, dataset.sources[0]))
            assert sum(row_batch.rows_read for row_batch in read) == dataset.sources[0].rows


def test_a_damaged_part_file_is_refused_or_read(tmp_path, monkeypatch, emojob):
    monkeypatch.chdir(tmp_path)
    lists, words = [[], None, ["네", None]] * 20, pa.array(["a", "b"] * 30).dictionary_encode()
    pq.write_table(pa.table({"id": range(60), "text": ["네", None, "말"] * 20, "l": lists, "d": words}), "log.parquet")
    assert emojob("score", "log.parquet", "-o", "out", "--quiet")[0] == 0
    (part,) = Path("out").glob("part-*.parquet")
    content = part.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    chosen = random.Random(SEED)
    commands = (
        ("sql", "out", "SELECT * FROM labelled", "--format", "json"), ("sql", "out", "--export", "x.duckdb", "--copy"),
        ("report", "out", "--json", "-"), ("sample", "out", "--uncertain", "3", "-o", "s.csv", "--force"),
        ("forget", "out", "--yes", "--where", "id < 5", "--dry-run"), ("score", "log.parquet", "-o", "out", "--quiet"),
    )  # fmt: skip
    ended = Counter[int]()
    for _ in range(1_500 if WHOLE else 60):
        data = bytearray(content)
        for _ in range(chosen.randrange(1, 4)):
            at = len(data) - 1 - chosen.randrange(footer if chosen.random() < 0.7 else len(data))
            data[at] = chosen.randrange(256)
        part.write_bytes(data)
        code, _, err = emojob(*chosen.choice(commands))
        assert code in (0, 2), err
        assert err.count("\n") <= 1, err
        ended[code] += 1
    assert min(ended[0], ended[2]) > 3


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parent / "fuzzing" / "found").iterdir()), ids=lambda file: file.name
)
def test_earlier_findings_stay_fixed(tmp_path, file):
    """Bytes that once ended the process by a C++ exception, or lost rows without a message."""
    TARGETS[file.suffix[1:]](tmp_path, file.read_bytes())


@examples(100)
@given(st.binary(max_size=400), st.sampled_from(sorted(TARGETS)))
def test_any_bytes_keep_every_promise(tmp_path_factory, data, target):
    TARGETS[target](tmp_path_factory.getbasetemp(), data)


@pytest.mark.parametrize("target", sorted(TARGETS) if WHOLE else ["csv", "configuration"])
def test_bytes_that_reach_new_code_keep_every_promise(tmp_path, target):
    pytest.importorskip("atheris", reason="atheris is for Linux on x86-64")
    options = [f"-max_total_time={180 if WHOLE else 3}", f"-timeout={SECONDS}", "-max_len=4096", f"-seed={SEED}"]
    ours = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    )  # MB; the peak of a child starts with the peak of its parent
    options += [f"-rss_limit_mb={ours + 2_048}", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, "-m", "tests.torture.fuzzing.guided", target, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TOP)
    assert done.returncode == 0, done.stderr[-5_000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None
    assert int(runs[1]) > 100
    print(f"{target}: {int(runs[1]):,} coverage-guided inputs, seed {SEED}")  # noqa: T201


@pytest.mark.parametrize("codec", ["utf-8", "cp949"])
def test_the_encoding_is_detected_for_any_text(tmp_path, codec):
    chosen = random.Random(SEED)
    points = (*range(0x20, 0x7F), *range(0xAC00, 0xD7A4), *range(0x3131, 0x3164))
    known = [char for char in map(chr, points) if char.encode(codec, "ignore") and char not in '",']
    for _ in range(500 if WHOLE else 40):
        text = "text\n" + "".join(chosen.choice(known) for _ in range(300)) + "\n가나다라 마바사\n"
        file = tmp_path / "log.csv"
        file.write_bytes(text.encode(codec))
        assert encoding.inspect(find_inputs([str(file)])[0]).encoding == codec


# -- the tokenizer -----------------------------------------------------------------------------------------------------

CONTROL = "".join(chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) in ("Cc", "Cf"))
EXTREMES = (
    "가" * 350_000, "\u1100" * 100_000, "\u0301" * 100_000, "a" * 1_000_000, " " * 1_000_000, "😀" * 50_000, CONTROL,
    "\x00", "\ud800", "\udc00\ud800", "\u202e" * 1_000 + "مرحبا" * 100, "[CLS] [SEP] [MASK] [PAD] [UNK] <s> </s>",
    "1," * 100_000, "ﷺ" * 10_000, "▁" * 10_000, "".join(map(chr, range(0xD800))),
    "".join(map(chr, range(0xE000, 0x30000))),
)  # fmt: skip


def test_the_tokenizer_reads_any_text_in_time(tiny_model):
    tokenizer = read_tokenizer(find_folder(str(tiny_model)), "the model")
    chosen = random.Random(SEED)
    texts = [*EXTREMES, *ALL]
    ranges = (range(0x80), range(0xAC00, 0xD7A4), range(0x110000))
    for _ in range(20_000 if WHOLE else 1_000):
        points = [chosen.choice(chosen.choice(ranges)) for _ in range(chosen.randrange(30))]
        texts.append("".join(map(chr, points)))
    clean = [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in texts]
    begun = time.monotonic()
    together = tokenizer.encode(clean, 64)
    assert time.monotonic() - begun < SECONDS
    assert len(together) == len(texts)
    assert together.lengths.max() <= 64
    assert together.lengths.min() >= 2
    ids = together.tolist()
    assert all(0 <= one < tokenizer.vocab_size for row in ids for one in row)
    assert all(row[1:-1].count(tokenizer.cls_id) == row[1:-1].count(tokenizer.sep_id) == 0 for row in ids)
    for i in chosen.sample(range(len(texts)), 200):
        assert tokenizer.encode([clean[i]], 64).tolist()[0] == ids[i]


def test_texts_of_any_kind_are_predicted(emojob):
    texts = [re.sub("[\x00\n\r]", "", text)[:50_000] for text in (*ALL, *EXTREMES[:8])]
    code, out, err = emojob("predict", "--json", "--", *texts)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == len(texts)


# -- configuration, label maps, the command line -----------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(ALL[:40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def toml(value: object) -> str:
    """Return a value in TOML; a value that TOML lacks becomes a string."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) < 1 << 63:
        return str(value)
    if isinstance(value, float):
        return repr(value).replace("e+", "e") if value == value and abs(value) != float("inf") else "nan"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(str(value))


KEYS = [
    "files",
    "days_back",
    "archive",
    "report",
    "keep_days",
    "model",
    "hash_columns",
    "mask_pii",
    "max_length",
    "days",
    "log",
    "x",
    "언어",
]


@examples(200)
@given(
    st.dictionaries(
        st.sampled_from(["input", "output", "score", "drift", "monitoring", "other"]),
        st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
        max_size=5,
    ),
    st.binary(max_size=30),
)
def test_any_configuration_is_read_or_refused_in_one_line(tmp_path_factory, tables, noise):
    lines = [
        f"[{name}]\n" + "\n".join(f"{json.dumps(key)} = {toml(one)}" for key, one in keys.items())
        for name, keys in tables.items()
    ]
    data = "\n".join(lines).encode("utf-8", "surrogatepass") + (noise if len(noise) > 20 else b"")
    TARGETS["configuration"](tmp_path_factory.getbasetemp(), data)


def test_any_command_line_is_run_or_refused_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text("text\n네\n")
    chosen = random.Random(SEED)
    values = [
        "",
        "0",
        "-1",
        "1e9",
        "nan",
        "log.csv",
        "nowhere",
        "a\nb",
        "--",
        "s3://",
        "file://x/y",
        "http://x",
        "x" * 5_000,
        "%",
        *ALL[:30],
    ]
    skipped = ("model", "html_file")  # slow options
    for _ in range(1_500 if WHOLE else 80):
        name, command = chosen.choice(sorted(cli.commands.items()))
        options = [
            one
            for one in command.params
            if isinstance(one, click.Option) and one.name not in skipped and "--debug" not in one.opts
        ]
        args = [name]
        for option in chosen.sample(options, min(len(options), chosen.randrange(4))):
            args += [chosen.choice(option.opts), *([] if option.is_flag else [chosen.choice(values)])]
        args += [chosen.choice(values) for _ in range(chosen.randrange(3))] + (
            ["--dry-run"] if name in ("score", "forget") else []
        )
        if name in ("train", "bench", "evaluate", "doctor"):
            args += ["--no-such-option"]
        args = [one.replace("\x00", "") for one in args]
        monkeypatch.setattr("sys.stdin", io.StringIO("네\n"))
        with pytest.raises(SystemExit) as ended:
            main(args)
        _, err = capsys.readouterr()
        assert ended.value.code in (0, 2), (args, err)
        assert "Traceback" not in err, args
        assert ended.value.code == 0 or len(err.splitlines()) >= 1, args


@pytest.mark.parametrize(
    "content", [b"a = " + b"[" * 20_000, b"a = " + b"9" * 5_000, b"\xff", b"a = 1\n" * 200_000, b"\xef\xbb\xbf[input]"]
)
def test_a_damaged_configuration_is_refused_in_one_line(tmp_path, content):
    TARGETS["configuration"](tmp_path, content)
