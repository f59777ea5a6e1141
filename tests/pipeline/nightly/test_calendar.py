"""Each input of a nightly run has the day with which the pattern found it, whatever the spelling of the pattern."""

import datetime
import os
from pathlib import Path

import pytest

from emojob.pipeline.nightly.calendar import Calendar, Seen, files_of
from emojob.pipeline.nightly.config import InputConfig, NightlyConfig, OutputConfig
from emojob.schemas.errors import DataError

FIRST, SECOND, THIRD = (datetime.date(2026, 11, number) for number in (1, 2, 3))


def configured(folder: Path, files: str, days_back: int = 14) -> NightlyConfig:
    return NightlyConfig(folder / "n.toml", InputConfig(files, days_back), OutputConfig("out"))


def write(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("text\n네\n")
    return file


def found(config: NightlyConfig, day: datetime.date = THIRD) -> dict[str, datetime.date]:
    """Return {name relative to the configuration's folder: day} of the night's files."""
    folder = config.file.parent.resolve()
    return {os.path.relpath(file.name, folder): own for file, own in files_of(config, day).days.items()}


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("logs/{date}*.csv", "logs/%s-a.csv"),
        ("x/../logs/{date}*.csv", "logs/%s.csv"),
        ("./logs//{date}.csv", "logs/%s.csv"),
        ("logs/[ab]-{date}.csv", "logs/b-%s.csv"),
        ("logs/[!a]-{date}.csv", "logs/b-%s.csv"),
        ("logs/{date}-[0-9]*.csv", "logs/%s-7.csv"),
        ("logs/?-{date}.csv", "logs/b-%s.csv"),
        ("logs/{date}/{date}.csv", "logs/%s/%s.csv"),
        ("logs/{date}", "logs/%s/deep/a.csv"),
        ("logs/day={date}", "logs/day=%s/hour=3/a.csv"),
        ("logs/**/{date}.csv", "logs/x/y/%s.csv"),
        ("logs/**/{date}.csv", "logs/%s.csv"),
        ("logs/{date}*", "logs/%s-shop/a.csv"),
        ("logs/*/../{date}.csv", "logs/%s.csv"),
        ("로그/{date}의 대화.csv", "로그/%s의 대화.csv"),
        ("logs/a+b({date}).csv", "logs/a+b(%s).csv"),
    ],
)
def test_the_day_is_the_date_with_which_the_pattern_found_the_file(tmp_path, pattern, file):
    (tmp_path / "x").mkdir()
    (tmp_path / "logs" / "any").mkdir(parents=True)
    config = configured(tmp_path, pattern)
    expected = {file.replace("%s", str(day)): day for day in (FIRST, SECOND)}
    for name in expected:
        write(tmp_path / name)
    assert found(config) == expected
    names = {one.name: own for one, own in files_of(config, THIRD).days.items()}
    for name in expected:
        (tmp_path / name).unlink()
    calendar = Calendar(config, Seen())  # an archive of an earlier version: no recorded days, and the files are gone
    assert {name: calendar.day_of(name) for name in names} == names


def test_linked_files_and_folders_have_the_day_of_the_link(tmp_path):
    write(tmp_path / "store" / "abc.csv")
    write(tmp_path / "store" / "folder" / "a.csv")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"{FIRST}").symlink_to(tmp_path / "store" / "folder")
    (tmp_path / "logs" / f"{SECOND}.csv").symlink_to(tmp_path / "store" / "abc.csv")
    (tmp_path / "linked").symlink_to(tmp_path / "logs")
    assert found(configured(tmp_path, "logs/{date}")) == {"store/folder/a.csv": FIRST}
    assert found(configured(tmp_path, "linked/{date}")) == {"store/folder/a.csv": FIRST}
    assert found(configured(tmp_path, "linked/{date}.csv")) == {f"logs/{SECOND}.csv": SECOND}


def test_a_recorded_day_remains_after_the_link_is_gone(tmp_path):
    write(tmp_path / "store" / "a.csv")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"{FIRST}").symlink_to(tmp_path / "store")
    config, seen = configured(tmp_path, "logs/{date}"), Seen()
    ((file, own),) = files_of(config, THIRD).days.items()
    Calendar(config, seen).see(file.name, own)
    assert Calendar(config, seen).day_of(file.name) == FIRST
    assert Calendar(config, Seen()).day_of(file.name) is None


def test_a_file_that_two_dates_or_two_spellings_find_is_one_input(tmp_path):
    write(tmp_path / "logs" / f"{FIRST}.csv")
    (tmp_path / "logs" / f"{SECOND}.csv").symlink_to(tmp_path / "logs" / f"{FIRST}.csv")
    assert list(found(configured(tmp_path, "logs/{date}.csv")).values()) == [FIRST]
    write(tmp_path / "pairs" / f"{FIRST}-{SECOND}.csv")
    assert list(found(configured(tmp_path, "pairs/*{date}*.csv")).values()) == [FIRST]
    (tmp_path / "x").mkdir()
    plain, spelled = (
        list(files_of(configured(tmp_path, one), THIRD).days) for one in ("logs/{date}*", "x/../logs/{date}*")
    )
    assert [file.name for file in plain] == [file.name for file in spelled]


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write(tmp_path / "home" / "logs" / f"{FIRST}.csv")
    assert found(configured(tmp_path / "elsewhere", "~/logs/{date}.csv")) == {f"../home/logs/{FIRST}.csv": FIRST}


def test_a_date_that_the_pattern_does_not_name_is_no_day(tmp_path):
    calendar = Calendar(configured(tmp_path, "logs/{date}/*.csv"), Seen())
    assert calendar.day_of(str(tmp_path / "logs" / f"{FIRST}" / f"x{SECOND}.csv")) == FIRST
    for name in (f"logs/x{FIRST}/a.csv", f"other/{FIRST}/a.csv", "logs/2026-13-01/a.csv", f"logs/{FIRST}"):
        assert calendar.day_of(str(tmp_path / name)) is None


def test_objects_have_the_day_of_their_pattern(tmp_path):
    calendar = Calendar(configured(tmp_path, "s3://bucket/logs/{date}*"), Seen())
    assert calendar.day_of(f"s3://bucket/logs/{FIRST}/a.csv") == FIRST
    assert calendar.day_of(f"s3://bucket/logs/{FIRST}.csv") == FIRST
    assert calendar.day_of(f"s3://bucket/x/logs/{FIRST}.csv") is None


def test_the_files_of_a_table_are_refused_because_a_compaction_repeats_rows(tmp_path):
    write(tmp_path / "chat/day=2026-11-03/a.csv")
    log = tmp_path / "chat/_delta_log/00000000000000000000.json"
    log.parent.mkdir()
    log.write_text('{"add": {"path": "day=2026-11-03/a.csv", "partitionValues": {"day": "2026-11-03"}}}')
    with pytest.raises(DataError, match="belongs to a table of Delta, which emojob nightly cannot read"):
        files_of(configured(tmp_path, "chat/day={date}"), THIRD)
