"""find_inputs: which files an INPUT names, and which are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import DataError, InputError


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text\n안녕\n", encoding="utf-8")


def below(root: Path, files: list[InputFile]) -> list[str]:
    return [file.path.relative_to(root.resolve()).as_posix() for file in files]


@pytest.mark.parametrize(
    ("name", "kind", "compression"),
    [
        ("a.parquet", "parquet", None),
        ("a.PARQUET", "parquet", None),
        ("a.csv", "csv", None),
        ("a.Csv.GZ", "csv", "gzip"),
        ("a.b.tsv.zst", "tsv", "zstd"),
        ("a.jsonl", "jsonl", None),
        ("a.ndjson.gz", "jsonl", "gzip"),
        ("a.json", "json", None),
    ],
)
def test_the_extension_gives_format_and_compression(tmp_path: Path, name: str, kind: str, compression: str) -> None:
    put(tmp_path, name)
    (file,) = find_inputs([str(tmp_path / name)])
    assert (file.format, file.compression) == (kind, compression)


def test_a_relative_path_is_named_by_its_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "logs/a.csv")
    monkeypatch.chdir(tmp_path / "logs")
    (file,) = find_inputs(["../logs/a.csv"])
    assert file.name == (tmp_path / "logs/a.csv").resolve().as_posix()


def test_a_folder_is_searched_with_its_subfolders_in_sorted_order(tmp_path: Path) -> None:
    put(tmp_path, "b.csv", "a/z.parquet", "a/c.csv", "notes.md", "a/picture.png")
    assert below(tmp_path, find_inputs([str(tmp_path)])) == ["a/c.csv", "a/z.parquet", "b.csv"]


def test_a_folder_skips_hidden_names_and_labelled_archives(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", ".b.csv", "_c.csv", ".git/d.csv", "_tmp/e.csv", "day.emotions/part-0.parquet")
    put(tmp_path, "day.emotions/_emojob/run.json")
    assert below(tmp_path, find_inputs([str(tmp_path)])) == ["a.csv"]
    assert below(tmp_path, find_inputs([str(tmp_path / "*")])) == ["a.csv"]


def test_the_runs_own_output_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "out/b.csv", "c.parquet")
    assert below(tmp_path, find_inputs([str(tmp_path)], [tmp_path / "out"])) == ["a.csv", "c.parquet"]
    assert below(tmp_path, find_inputs([str(tmp_path / "**" / "*.csv")], [tmp_path / "out"])) == ["a.csv"]
    assert below(tmp_path, find_inputs([str(tmp_path)], [tmp_path / "c.parquet"])) == ["a.csv", "out/b.csv"]


def test_a_glob_matches_files_and_folders(tmp_path: Path) -> None:
    put(tmp_path, "1/a.csv", "1/x/b.csv", "2/c.csv", "2/d.md", "3.csv")
    assert below(tmp_path, find_inputs([f"{tmp_path}/**/*.csv"])) == ["1/a.csv", "1/x/b.csv", "2/c.csv", "3.csv"]
    assert below(tmp_path, find_inputs([f"{tmp_path}/[12]"])) == ["1/a.csv", "1/x/b.csv", "2/c.csv"]
    assert below(tmp_path, find_inputs([f"{tmp_path}/?.csv"])) == ["3.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    put(tmp_path, "a[1].csv", "a1.csv")
    assert below(tmp_path, find_inputs([str(tmp_path / "a[1].csv")])) == ["a[1].csv"]


def test_a_file_named_twice_is_found_once_at_its_first_position(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "b.csv")
    (tmp_path / "link.csv").symlink_to("b.csv")
    given = [str(tmp_path / "b.csv"), str(tmp_path), f"{tmp_path}/*.csv", str(tmp_path / "link.csv")]
    assert below(tmp_path, find_inputs(given)) == ["b.csv", "a.csv"]


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    put(tmp_path, "어제 a.csv")
    (file,) = find_inputs([(tmp_path / "어제 a.csv").as_uri()])
    assert file.path.name == "어제 a.csv"


def test_hive_folders_become_partitions(tmp_path: Path) -> None:
    put(tmp_path, "lake/day=2026-10-05/shop=%EC%84%9C%EC%9A%B8%2F1/a.csv", "lake/day=__HIVE_DEFAULT_PARTITION__/b.csv")
    first, second = find_inputs([str(tmp_path / "lake")])
    assert first.partitions == (("day", "2026-10-05"), ("shop", "서울/1"))
    assert second.partitions == (("day", None),)
    (globbed,) = find_inputs([f"{tmp_path}/lake/day=2*/*/*.csv"])
    assert globbed.partitions == first.partitions


def test_hive_folders_above_the_input_are_not_partitions(tmp_path: Path) -> None:
    put(tmp_path, "day=1/shop=2/a.csv")
    assert find_inputs([str(tmp_path / "day=1")])[0].partitions == (("shop", "2"),)
    assert find_inputs([str(tmp_path / "day=1/shop=2/a.csv")])[0].partitions == ()


def test_links_that_lead_out_of_a_folder_are_skipped(tmp_path: Path) -> None:
    put(tmp_path, "in/a.csv", "elsewhere/b.csv")
    (tmp_path / "in/b.csv").symlink_to(tmp_path / "elsewhere/b.csv")
    (tmp_path / "in/folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/broken.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "in/round").symlink_to(tmp_path / "in")
    assert below(tmp_path, find_inputs([str(tmp_path / "in")])) == ["in/a.csv"]
    assert below(tmp_path, find_inputs([str(tmp_path / "in/b.csv")])) == ["in/b.csv"]  # the user names it itself


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nothing.csv", "no such file or folder"),
        ("nothing-*.csv", "no file matches"),
        ("empty", "no file of a known format"),
        ("picture.png", "a picture, which emojob does not read"),
        ("data.bin", r"an unknown format; use \.parquet"),
        ("broken.csv", "does not exist"),
        ("pipe.csv", "not a regular file"),
        ("", "empty string"),
        ("https://example.com/a.csv", "begin with https:// are not supported"),
        ("file://server/a.csv", "three slashes"),
    ],
)
def test_an_unreadable_input_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "empty/readme.md")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "data.bin").write_bytes(bytes(range(32)))
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "broken.csv").symlink_to("gone.csv")
    with pytest.raises(InputError, match=words) as caught:
        find_inputs([given])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_no_input_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no input"):
        find_inputs([])
