"""The first bytes of a file tell its format, whatever its name; the files of a ZIP file are inputs of their own."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.files.content import kind_of
from emojob.pipeline.reading.files.input_file import PassedOver
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import DataError

CSV = "text,n\n고마워요,1\n왜 안 와요,2\n"
TEXTS = ["고마워요", "왜 안 와요"]


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS}), sink)
    return sink.getvalue()


def packed(file, members: dict[str, bytes]):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return file


def texts(*paths):
    dataset = open_dataset(find_inputs(list(map(str, paths))))
    column = dataset.text_column
    batches = [one.batch for source in dataset.sources for one in read_batches(dataset, source)]
    return [text for batch in batches for text in batch.column(column).to_pylist()]


@pytest.mark.parametrize("name", ["a.pq", "000000_0", "a.csv", "a.parquet.gzip", "a.txt", "자료"])
def test_a_parquet_file_may_have_any_name(tmp_path, name):
    (tmp_path / name).write_bytes(parquet())
    assert texts(tmp_path / name) == TEXTS
    assert texts(tmp_path) == TEXTS


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress), ("a.csv.xz", lzma.compress), ("a.csv", gzip.compress),
     ("a.csv.xz", bz2.compress)],
)  # fmt: skip
def test_a_text_file_may_be_compressed_in_each_way(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(CSV.encode("cp949")))
    assert texts(tmp_path / name) == TEXTS


def test_a_compressed_parquet_file_is_unpacked(tmp_path):
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(parquet()))
    assert texts(tmp_path / "a.parquet.gz") == TEXTS


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, gzip.compress])
def test_a_cut_off_compressed_file_is_refused_in_one_line(tmp_path, pack):
    (tmp_path / "a.csv.xz").write_bytes(pack(CSV.encode() * 5000)[:-20])
    with pytest.raises(DataError, match=r"a\.csv\.xz") as refusal:
        texts(tmp_path / "a.csv.xz")
    assert "\n" not in str(refusal.value)


def test_the_members_of_a_zip_file_are_inputs(tmp_path):
    members = {"b/나.csv": CSV.encode("cp949"), "a.parquet": parquet(), "__MACOSX/._a.csv": b"x", "readme.md": b"# x"}
    file = packed(tmp_path / "TL_01.zip", members | {"inner.zip": b"PK\x03\x04 x"})
    passed_over: list[PassedOver] = []
    found = find_inputs([str(file)], passed_over=passed_over)
    assert [one.name for one in found] == [f"{file}/a.parquet", f"{file}/b/나.csv"]
    assert [(one.name, one.reason) for one in passed_over] == [
        ("TL_01.zip/inner.zip", "a ZIP file in a ZIP file"), ("TL_01.zip/readme.md", "an unknown format"),
    ]  # fmt: skip
    assert texts(file) == TEXTS * 2


def test_names_in_a_zip_file_may_be_cp949(tmp_path):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("XXXX.csv", CSV)
    raw = file.read_bytes().replace(b"XXXX.csv", "대화".encode("cp949") + b".csv")
    file.write_bytes(raw)
    assert [one.member for one in find_inputs([str(file)])] == ["대화.csv"]
    assert texts(file) == TEXTS


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_with_one_name_in_a_zip_file_are_refused(tmp_path):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("a.csv", CSV)
        out.writestr("a.csv", CSV)
    with pytest.raises(DataError, match=r"two files with the name a\.csv"):
        find_inputs([str(file)])


def test_a_changed_member_is_noticed(tmp_path):
    file = packed(tmp_path / "a.zip", {"a.csv": CSV.encode()})
    dataset = open_dataset(find_inputs([str(file)]))
    packed(file, {"a.csv": b"text\nx\n"})
    with pytest.raises(DataError, match="changed while emojob was reading it"):
        list(read_batches(dataset, dataset.sources[0]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:40],
        lambda data: data[:60] + b"\xff" * 20 + data[80:],
        lambda data: data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
    ],
)  # fmt: skip
def test_a_damaged_or_encrypted_zip_file_is_refused_in_one_line(tmp_path, damage):
    file = packed(tmp_path / "a.zip", {"a.csv": CSV.encode() * 50})
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=r"a\.zip") as refusal:
        texts(file)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.zip", "a.xlsx", "a.jsonl"])
def test_a_pointer_of_git_lfs_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 368792146\n")
    with pytest.raises(DataError, match=r"is a pointer of Git LFS.*; run git lfs pull"):
        find_inputs([str(tmp_path / name)])


def test_what_is_passed_over_in_a_folder_is_listed_with_its_reason(tmp_path):
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "README").write_text("x")
    (tmp_path / "_c.csv").write_text(CSV)
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "d.csv").symlink_to(tmp_path.parent / "away.csv")
    (tmp_path / "old.emotions" / "_emojob").mkdir(parents=True)
    passed_over: list[PassedOver] = []
    assert len(find_inputs([str(tmp_path)], passed_over=passed_over)) == 1
    assert sorted((one.name, one.reason) for one in passed_over) == [
        ("README", "an unknown format"), ("_c.csv", "a hidden file"), ("b.pdf", "a PDF file"),
        ("d.csv", "a broken link"), ("old.emotions", "a labelled archive"),
    ]  # fmt: skip


def test_a_text_that_is_no_table_is_passed_over_beside_others_and_refused_by_its_name(tmp_path):
    (tmp_path / "읽어보세요.txt").write_text("이 폴더에는 상담이 있습니다\n담당: 팀\n", encoding="utf-8")
    with pytest.raises(DataError, match="give --format lines"):
        texts(tmp_path / "읽어보세요.txt")
    with pytest.raises(DataError, match=r"읽어보세요\.txt"):
        texts(tmp_path)
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    assert texts(tmp_path) == TEXTS
    dataset = open_dataset(find_inputs([str(tmp_path)]))
    assert [(one.name, one.reason) for one in dataset.passed_over] == [
        ("읽어보세요.txt", "text that is neither a table nor a chat with messages")
    ]


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("a.orc", b"ORC", "an ORC file, which emojob does not read; convert the file"),
        ("a.avro", b"Obj\x01", "polars.read_avro"),
        ("a.db", b"SQLite format 3\x00", "sqlite3 -csv -header"),
        ("a.hwpx", b"PK\x03\x04", "a Hangul document"),
        ("a.xls", b"<html><table>", "an HTML or XML page"),
        ("a.xlsx", b"text,n", "--format tsv or --format csv"),
        ("a.parquet", b"PARE", "encrypted Parquet"),
    ],
)
def test_other_formats_are_refused_with_the_next_step(tmp_path, name, head, words):
    (tmp_path / name).write_bytes(head)
    with pytest.raises(DataError, match=words):
        find_inputs([str(tmp_path / name)])


@pytest.mark.parametrize(("name", "form"), [("a.log", "txt"), ("a.json", "json"), ("a.tab", "tsv"), ("a.csv", "csv")])
def test_a_text_file_keeps_the_format_of_its_name(name, form):
    assert kind_of(name, lambda: "안녕하세요 반가워요".encode("cp949")[:16]).format == form
