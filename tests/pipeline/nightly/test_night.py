"""Nights in a row: no row is scored twice, none is missed, and a failed night leaves the report unchanged."""

import datetime
import json
import shutil
import zipfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.nightly.config import read_config
from emojob.pipeline.nightly.night import plan_night, run_night
from emojob.pipeline.nightly.outcome import Night
from emojob.pipeline.output import part_writer
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.reading import chunks
from emojob.pipeline.storage.lock import lock
from emojob.schemas.errors import BusyError, OptionError, OutputError, StorageError
from tests.workbooks import write_xlsx

WORDS = ["배송", "환불", "정말", "고마워요", "왜", "아직", "안", "와요", "기뻐요", "걱정", "네"]


def day(number: int) -> datetime.date:
    return datetime.date(2026, 11, number)


class World:
    """A folder with log files and a configuration."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        (folder / "logs").mkdir()

    def configure(self, files: str = "logs/{date}*.csv", **sections: str) -> "World":
        more = "".join(f"[{name}]\n{text}\n" for name, text in sections.items() if name not in ("output", "input"))
        (self.folder / "n.toml").write_text(
            f'[input]\nfiles = "{files}"\n{sections.get("input", "")}\n'
            f'[output]\narchive = "out"\nreport = "r.html"\nfigures = "r.json"\n{sections.get("output", "")}\n'
            f'[score]\nmodel = "{self.model}"\ntime_column = "at"\n{more}'
        )
        return self

    def log(self, number: int, rows: int = 40, name: str = "", text: str | None = None) -> Path:
        file = self.folder / "logs" / (name or f"{day(number)}.csv")
        lines = [f"{text or ' '.join(WORDS[(i * 7 + j + number) % 11] for j in range(4))} {i}" for i in range(rows)]
        file.write_text("at,text\n" + "".join(f"{day(number)} 09:{i % 60:02},{one}\n" for i, one in enumerate(lines)))
        return file

    def night(self, number: int) -> Night:
        return run_night(read_config(self.folder / "n.toml"), day(number))

    def state(self) -> dict[str, tuple[bytes, int]]:
        """Return {file: (content, time of modification)} of every file that a night writes."""
        paths = [*(self.folder / "out").rglob("*"), *self.folder.glob("r.*")]
        return {str(one): (one.read_bytes(), one.stat().st_mtime_ns) for one in paths if one.is_file()}

    @property
    def days(self) -> dict[str, int]:
        """Return {day: rows} of the report's figures."""
        figures = json.loads((self.folder / "r.json").read_text())
        found: dict[str, int] = {}
        for row in figures["days"]:
            found[row["day"]] = found.get(row["day"], 0) + row["rows"]
        return found


@pytest.fixture
def world(tmp_path, tiny_model) -> World:
    return World(tmp_path, tiny_model).configure()


def test_each_night_scores_the_new_files(world):
    for number in (1, 2, 3):
        world.log(number, rows=40 + number)
        night = world.night(number)
        assert [(one.day, one.rows, one.was) for one in night.scored] == [(day(number), 40 + number, "new")]
        assert night.counts.labelled == 40 + number
    assert world.days == {"2026-11-01": 41, "2026-11-02": 42, "2026-11-03": 43}


def test_the_same_night_twice_changes_nothing(world):
    world.log(1)
    world.night(1)
    before = world.state()
    again = world.night(1)
    assert (again.scored, again.changed) == ([], False)
    assert world.state() == before


def test_missed_nights_are_caught_up(world):
    for number in (1, 2, 3):
        world.log(number)
    assert [one.was for one in world.night(1).scored] == ["new"]
    assert [one.was for one in world.night(3).scored] == ["late", "new"]
    assert len(world.days) == 3


def test_nothing_is_late_on_the_first_night(world):
    for number in (1, 2, 3):
        world.log(number)
    assert [one.was for one in world.night(3).scored] == ["new"] * 3


def test_a_late_file_corrects_its_day(world):
    world.log(1)
    world.night(1)
    world.log(1, rows=10, name="2026-11-01-b.csv")
    world.log(2)
    night = world.night(2)
    assert {(one.day, one.rows, one.was) for one in night.scored} == {(day(1), 10, "late"), (day(2), 40, "new")}
    assert world.days == {"2026-11-01": 50, "2026-11-02": 40}


def test_a_changed_file_is_scored_again(world):
    world.log(1)
    world.night(1)
    world.log(1, rows=25)
    night = world.night(1)
    assert [(one.rows, one.was) for one in night.scored] == [(25, "changed")]
    assert world.days == {"2026-11-01": 25}


def test_an_unreadable_input_does_not_stop_the_others(world):
    world.configure(files="logs/{date}*")
    world.log(1)
    bad = world.folder / "logs" / "2026-11-01.parquet"
    bad.write_bytes(b"PAR1 this is not Parquet")
    world.log(2)
    night = world.night(2)
    assert {Path(one.input).name for one in night.scored} == {"2026-11-01.csv", "2026-11-02.csv"}
    assert list(night.failed) == [str(bad)]
    assert "not a readable Parquet file" in night.failed[str(bad)]
    bad.unlink()
    assert world.night(2).failed == {}


def test_old_rows_are_removed_after_keep_days(world):
    world.configure(input="days_back = 2", output="keep_days = 3")
    for number in (1, 2, 3, 4):
        world.log(number)
        night = world.night(number)
    assert night.removed_rows == 40
    assert list(world.days) == ["2026-11-02", "2026-11-03", "2026-11-04"]
    assert world.night(4).removed_rows == 0


def test_days_that_are_read_again_must_be_kept(world):
    world.configure(input="days_back = 5", output="keep_days = 5")
    with pytest.raises(OptionError, match=r"output.keep_days is 5, but must be greater than input.days_back"):
        world.night(1)


def test_a_file_without_a_date_belongs_to_the_night_that_first_saw_it(world):
    world.configure(files="logs", output="keep_days = 2")
    world.log(1, name="a.csv")
    assert world.night(10).counts.labelled == 40
    world.log(2, name="b.csv", rows=30)
    night = world.night(11)
    assert [(Path(one.input).name, one.day) for one in night.scored] == [("b.csv", day(11))]
    assert night.counts.labelled == 30
    assert world.night(12).removed_rows == 40
    assert world.night(12).scored == []  # a.csv still exists, and stays removed


def linked(world: World) -> None:
    for number in (1, 2, 3, 4, 5):
        world.log(number, name=f"{number}.csv")
        day_folder = world.folder / "by_day" / str(day(number))
        day_folder.parent.mkdir(exist_ok=True)
        (world.folder / "store" / str(number)).mkdir(parents=True)
        (world.folder / "logs" / f"{number}.csv").rename(world.folder / "store" / str(number) / "a.csv")
        day_folder.symlink_to(world.folder / "store" / str(number))


@pytest.mark.parametrize(
    ("files", "name"),
    [("x/../logs/{date}*.csv", "%s.csv"), ("logs/[ab]-{date}.csv", "b-%s.csv"), ("by_day/{date}", "")],
)
def test_each_way_to_write_a_pattern_gives_days_to_drift_and_keep_days(world, files, name):
    (world.folder / "x").mkdir()
    world.configure(files=files, input="days_back = 1", output="keep_days = 2")
    if not name:
        linked(world)
    for number in (1, 2, 3, 4, 5):
        if name:
            world.log(number, name=name.replace("%s", str(day(number))))
        night = world.night(number)
        assert night.counts.labelled == 40
        assert night.without_day == []
    assert list(world.days) == ["2026-11-04", "2026-11-05"]
    assert night.drift is not None
    assert night.drift.days_before == 1  # the other days were removed


def test_inputs_that_the_pattern_does_not_match_are_reported(world):
    world.configure(files="logs/x{date}.csv")
    old = world.log(1, name=f"x{day(1)}.csv")
    world.night(1)
    assert world.night(1).without_day == []
    state = world.folder / "out" / "_emojob" / "nightly.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "days": {}}))  # as an earlier version wrote the state
    old.unlink()
    assert world.night(2).without_day == []  # the name contains the day
    world.configure(files="logs/y{date}.csv")
    state.write_text(json.dumps({**json.loads(state.read_text()), "days": {}}))
    night = world.night(3)
    assert night.without_day == [str(old)]
    assert night.as_json()["inputs_without_day"] == [str(old)]


def test_an_interrupted_night_keeps_the_days_of_its_files(world, monkeypatch):
    world.configure(files="logs")
    world.log(1, name="a.csv", rows=100)
    world.log(2, name="b.csv", rows=100)
    with monkeypatch.context() as cut:
        cut.setattr(part_writer.PartWriter, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.night(2)
    night = world.night(3)
    assert [(one.day, one.rows, one.was) for one in night.scored] == [(day(2), 100, "new")] * 2
    assert night.counts.labelled == 0


def test_a_file_that_vanishes_and_comes_back_keeps_its_first_day(world):
    world.configure(files="logs", output="keep_days = 2")
    file = world.log(1, name="a.csv")
    world.night(10)
    content = file.read_bytes()
    file.unlink()
    world.log(2, name="b.csv")
    assert world.night(12).removed_rows == 40
    world.night(13)
    file.write_bytes(content)
    night = world.night(13)
    assert night.scored == []  # its rows were removed, and stay removed


def test_a_folder_that_was_moved_or_copied_is_not_scored_again(world):
    for number in (1, 2):
        world.log(number)
    world.night(2)
    for way in ("copied", "moved"):
        new = world.folder.with_name(f"{world.folder.name}-{way}")
        world.folder = Path(shutil.copytree(world.folder, new)) if way == "copied" else world.folder.rename(new)
        plan = plan_night(read_config(world.folder / "n.toml"), day(2))
        assert {state: len(names) for state, names in plan.inputs.items()} == {"new": 0, "changed": 0, "complete": 2}
        assert "2 moved inputs are recognised" in str(plan.notes)
        world.log(3 if way == "copied" else 4)
        night = world.night(3 if way == "copied" else 4)
        assert [one.was for one in night.scored] == ["new"]
    assert world.days == {f"2026-11-0{number}": 40 for number in (1, 2, 3, 4)}


@pytest.mark.parametrize("way", ["moved", "copied", "logs moved"])
def test_moved_files_without_a_date_keep_their_days(world, way):
    world.configure(files="logs", output="keep_days = 3")
    world.log(1, name="a.csv")
    world.night(9)
    world.log(2, name="b.csv", rows=30)
    assert world.night(12).removed_rows == 40
    new = world.folder.with_name(f"{world.folder.name}-new")
    if way == "logs moved":
        (world.folder / "logs" / "a.csv").unlink()
        (world.folder / "logs").rename(world.folder / "chats")
        world.configure(files="chats", output="keep_days = 3")
    else:
        world.folder = Path(shutil.copytree(world.folder, new)) if way == "copied" else world.folder.rename(new)
    night = world.night(14)
    assert (night.scored, night.removed_rows) == ([], 0)  # the rows of a.csv stay removed
    assert world.night(15).removed_rows == 30


def test_a_file_of_another_day_with_equal_contents_is_new(world):
    (world.folder / "logs" / "2026-11-01.csv").write_text("at,text\n,네\n")
    world.night(1)
    (world.folder / "logs" / "2026-11-01.csv").rename(world.folder / "logs" / "2026-11-02.csv")
    assert [(one.day, one.was) for one in world.night(2).scored] == [(day(2), "new")]


def test_an_older_date_does_not_take_files_from_a_later_one(world):
    world.configure(files="logs")
    world.log(1, name="a.csv")
    world.night(10)
    world.log(2, name="b.csv", rows=30)
    assert [(one.day, one.rows) for one in world.night(9).scored] == [(day(9), 30)]
    assert world.night(10).counts.labelled == 40


def test_a_shifted_day_raises_an_alarm_that_the_report_shows(world):
    world.configure(drift="fewest_rows = 20")
    for number in (1, 2, 3, 4):
        world.log(number, rows=200)
        quiet = world.night(number)
    assert quiet.drift is not None
    assert quiet.drift.alarms == ()
    world.log(5, rows=200, text="네")
    shifted = world.night(5)
    assert "emotions" in {check.name for check in shifted.drift.alarms}
    assert json.loads((world.folder / "r.json").read_text())["drift"]["alarms"] == [
        check.name for check in shifted.drift.alarms
    ]
    page = (world.folder / "r.html").read_text()
    assert "Different from the days before: change of the emotions" in page
    assert "→" in page.split('id="drift"')[1].split("</section>")[0]  # the emotions whose shares changed


def test_a_closed_weekend_raises_no_alarm_and_a_missing_weekday_does(world):
    world.configure(drift="fewest_rows = 20")
    for number in (2, 3, 4, 5, 6, 9, 10):  # Monday to Friday, Monday, Tuesday
        world.log(number)
        world.night(number)
    for number in (7, 8):
        night = world.night(number)
        assert (night.drift.alarms, night.counts.written) == ((), 0)
    missing = world.night(11)
    assert [check.name for check in missing.drift.alarms] == ["rows"]


def test_a_night_without_files_succeeds(world):
    night = world.night(1)
    assert (night.inputs, night.scored, night.failed) == (0, [], {})
    assert not (world.folder / "r.html").exists()


def test_only_one_night_runs_at_a_time(world):
    world.log(1)
    world.night(1)
    before = world.state()
    with lock(world.folder / "out" / "_emojob" / "nightly.lock", world.folder / "out"), pytest.raises(BusyError):
        world.night(1)
    assert world.state() == before


def test_a_failed_night_leaves_the_report_unchanged(world, monkeypatch):
    world.log(1)
    world.night(1)
    before = world.folder.joinpath("r.html").read_bytes()
    world.log(2)
    with monkeypatch.context() as broken:
        broken.setattr(
            "emojob.pipeline.nightly.night_report.make_figures", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
        )
        with pytest.raises(StorageError, match="full"):
            world.night(2)
    assert world.folder.joinpath("r.html").read_bytes() == before
    assert world.night(2).counts.labelled == 40
    assert len(world.days) == 2


def test_an_interrupted_night_resumes(world, monkeypatch):
    world.log(1, rows=90)
    world.night(1)
    for number in (2, 3):
        world.log(number, rows=90)
    whole = part_writer.PartWriter.commit
    calls = []

    def commit(self, last):
        calls.append(last)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, last)

    with monkeypatch.context() as cut:
        cut.setattr(part_writer.PartWriter, "commit", commit)
        with pytest.raises(KeyboardInterrupt):
            world.night(3)
    night = world.night(3)
    assert sum(one.rows for one in night.scored) == 90
    assert world.days == {f"2026-11-0{number}": 90 for number in (1, 2, 3)}
    output = ArchiveFolder(world.folder / "out")
    output.read_markers()
    assert sum(marker.counts.written for marker in output.markers) == 270


def test_a_folder_with_other_files_is_refused(world):
    (world.folder / "out").mkdir()
    (world.folder / "out" / "mine.txt").write_text("notes")
    with pytest.raises(OutputError, match="neither empty nor a labelled archive"):
        world.night(1)


def test_the_plan_lists_the_inputs_and_changes_nothing(world):
    world.log(1)
    world.night(1)
    world.log(1, rows=41)
    world.log(2)
    before = world.state()
    plan = plan_night(read_config(world.folder / "n.toml"), day(2))
    assert {what: [Path(name).name for name in names] for what, names in plan.inputs.items()} == {
        "new": ["2026-11-02.csv"], "changed": ["2026-11-01.csv"], "complete": [],
    }  # fmt: skip
    assert world.state() == before


def test_values_that_are_not_times_are_noted(world):
    world.configure()
    (world.folder / "logs" / f"{day(23)}.csv").write_text("at,text\n모름,네\n03/04/2026,네\n2026-11-23,네\n")
    notes = world.night(23).notes
    assert any("--date-order" in note for note in notes)
    with (world.folder / "n.toml").open("a") as config:
        config.write('date_order = "dmy"\n')
    assert not any("--date-order" in note for note in world.night(23).notes)
    assert set(world.days) == {"2026-04-03", "2026-11-23"}


def test_inputs_with_incompatible_columns_are_scored_separately(world):
    world.configure(files="logs/{date}*")
    world.log(3)
    for name, number in (("2026-11-03.b.jsonl", "1"), ("2026-11-03.c.jsonl", '"one"')):
        row = f'{{"at": {number}, "text": "기뻐요"}}\n'
        (world.folder / "logs" / name).write_text(row * 5)
    pq.write_table(pa.table({"at": [{"a": 1}] * 7, "text": ["네"] * 7}), world.folder / "logs/2026-11-03.d.parquet")
    night = world.night(3)
    assert sorted(one.rows for one in night.scored) == [5, 5, 7, 40]
    assert not night.failed


def refused(world: World, number: int) -> dict[str, str]:
    """Return {name of a file: error} of the night and of its plan, which say the same."""
    failed = plan_night(read_config(world.folder / "n.toml"), day(number)).failed
    assert world.night(number).failed == failed
    assert not any(option in str(failed) for option in ("--", " -o"))
    return {Path(name).name: error for name, error in failed.items()}


def test_a_file_with_a_renamed_text_column_is_named_with_a_way_out(world):
    for number in (1, 2, 3):
        world.log(number)
    world.night(1)
    file = world.folder / "logs" / "2026-11-02.csv"
    file.write_text(file.read_text().replace("at,text", "at,words"))
    (error,) = refused(world, 3).values()
    assert f"{file} has no column text, the text column of the archive; its columns are at, words" in error
    assert "rename it to text in this file" in error
    assert list(world.days) == ["2026-11-01", "2026-11-03"]
    file.write_text(file.read_text().replace("at,words", "at,text"))
    assert refused(world, 3) == {}
    assert list(world.days) == ["2026-11-01", "2026-11-02", "2026-11-03"]


def test_another_usual_name_for_the_text_is_refused_for_its_file_only(world):
    for number in (1, 2, 3):
        world.log(number)
    world.night(1)
    file = world.folder / "logs" / "2026-11-02.csv"
    file.write_text(file.read_text().replace("at,text", "at,message"))
    assert "rename it to text in this file" in refused(world, 3)["2026-11-02.csv"]
    assert list(world.days) == ["2026-11-01", "2026-11-03"]


@pytest.mark.parametrize("first", [True, False])
def test_columns_that_differ_only_in_case_are_refused_for_their_file_only(world, first):
    for number in (1, 2, 3):
        file = world.log(number)
        lines = file.read_text().splitlines()
        header = "at,text,User_ID" if number == 2 else "at,text,user_id"
        file.write_text("\n".join([header, *(f"{line},u1" for line in lines[1:])]) + "\n")
    if not first:
        world.night(1)
    (error,) = world.night(3).failed.values()
    assert "2026-11-02.csv" in error
    assert "User_ID" in error
    assert list(world.days) == ["2026-11-01", "2026-11-03"]
    assert refused(world, 3)["2026-11-02.csv"] == error


def test_a_setting_that_the_archive_does_not_have_is_named_as_a_setting(world):
    world.log(1)
    world.night(1)
    file = world.log(2)
    file.write_text("at,text,words\n2026-11-02 09:00,하나,둘\n")
    world.configure()
    config = world.folder / "n.toml"
    config.write_text(config.read_text().replace("[score]", '[score]\ntext_column = "words"'))
    expected = (
        'was labelled with score.text_column = "text", but this run has score.text_column = "words": give another '
        'folder with output.archive, or use score.text_column = "text" again'
    )
    for act in (lambda: plan_night(read_config(config), day(2)), lambda: world.night(2)):
        with pytest.raises(OutputError) as error:
            act()
        assert str(error.value).endswith(expected)


def test_the_plan_lists_an_input_that_lacks_rows_as_changed(world, monkeypatch):
    monkeypatch.setattr(part_writer, "PART_ROWS", 10)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS"):
        monkeypatch.setattr(chunks, name, 10)
    world.log(1)
    world.night(1)
    parts = sorted((world.folder / "out").glob("part-*"))
    assert len(parts) == 4
    parts[1].unlink()
    plan = plan_night(read_config(world.folder / "n.toml"), day(1))
    assert [len(plan.inputs[what]) for what in ("new", "changed", "complete")] == [0, 1, 0]


# -- the forms of the input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", ["logs/day={date}/*", "logs/day={date}", "logs"])
def test_the_folders_of_a_table_become_columns(world, files):
    world.configure(files=files)
    for number in (1, 2):
        (world.folder / f"logs/day={day(number)}/shop=a").mkdir(parents=True)
        world.log(number, name=f"day={day(number)}/shop=a/log.csv")
    world.night(2)
    query = f"SELECT DISTINCT shop, day FROM read_parquet('{world.folder}/out/part-*.parquet', union_by_name=true)"
    assert sorted(duckdb.sql(query).fetchall()) == [
        ("a", "2026-11-01"), ("a", "2026-11-02"),
    ]  # fmt: skip


def test_a_night_reads_zip_files_workbooks_and_json_as_score_does(world):
    world.configure(files="logs/{date}*")
    write_xlsx(world.folder / "logs/2026-11-01.xlsx", {"chat": [["text"], ["배송 왜 아직 안 와요"]], "notes": [["x"]]})
    with zipfile.ZipFile(world.folder / "logs/2026-11-01.zip", "w") as packed:
        packed.writestr("a/1.csv", "text\n정말 고마워요\n")
        packed.writestr("b.csv", "text\n환불\n")
        packed.writestr("read.me", "x")
    (world.folder / "logs/2026-11-01.json").write_text(json.dumps([{"text": "기뻐요"}, {"text": "걱정"}]))
    (world.folder / "logs/2026-11-01-info.json").write_text('{"version": 1}')
    said: list[str] = []
    (world.folder / "n.toml").write_text((world.folder / "n.toml").read_text().replace('time_column = "at"', ""))
    config = read_config(world.folder / "n.toml")
    night = run_night(config, day(1), note=said.append)
    assert {one.input.split("/logs/")[1]: one.rows for one in night.scored} == {
        "2026-11-01.xlsx/chat": 1, "2026-11-01.zip/a/1.csv": 1, "2026-11-01.zip/b.csv": 1, "2026-11-01.json": 2,
    }  # fmt: skip
    assert (night.failed, night.without_day, night.counts.labelled) == ({}, [], 5)
    lines = [line for line in said if "passed over" in line]
    for name in ("read.me", "notes", "info.json"):
        assert any(name in line for line in lines)
    before = world.state()
    assert run_night(config, day(1)).scored == []
    assert world.state() == before
    plan = plan_night(config, day(1))
    assert {state: len(names) for state, names in plan.inputs.items()} == {"new": 0, "changed": 0, "complete": 4}
    assert plan.failed == {}


def test_a_check_names_the_columns_of_all_inputs_and_passes_over_what_the_night_passes_over(world):
    world.configure(files="logs/{date}*")
    (world.folder / "n.toml").write_text((world.folder / "n.toml").read_text().replace('time_column = "at"', ""))
    turns = {"id": "a", "messages": [{"role": "user", "content": "늦어요", "created_at": "2026-11-01T10:00:00"}]}
    (world.folder / "logs/2026-11-01 a.json").write_text(json.dumps(turns))
    sheets = {"notes": [["x"], ["y"]], "chat": [["text"], ["고마워요"]]}
    write_xlsx(world.folder / "logs/2026-11-01 b.xlsx", sheets)
    (world.folder / "logs/2026-11-01 c.csv").write_text("text\n네\n")
    config = read_config(world.folder / "n.toml")
    columns = {"text": "text", "time": "sent_at", "conversation": "conversation_id", "speaker": "speaker"}
    plan = plan_night(config, day(1))
    assert plan.roles is not None
    assert plan.roles.columns == columns
    assert [name.split("/logs/")[1] for name in plan.inputs["new"]] == [
        "2026-11-01 a.json", "2026-11-01 b.xlsx/chat", "2026-11-01 c.csv",
    ]  # fmt: skip
    assert any("passed over" in note and "notes" in note for note in plan.notes)
    world.night(1)
    (world.folder / "logs/2026-11-02 d.csv").write_text("text\n네\n")
    later = plan_night(config, day(2))
    assert [len(names) for names in later.inputs.values()] == [1, 0, 3]
    assert later.roles is not None
    assert later.roles.columns == columns


def test_a_damaged_zip_file_does_not_stop_the_others(world):
    world.configure(files="logs/{date}*")
    world.log(1)
    (world.folder / "logs/2026-11-01.zip").write_bytes(b"PK\3\4 damaged")
    (world.folder / "logs/2026-11-01.json").write_text('{"version": 1}')
    night = world.night(1)
    assert [Path(one).name for one in night.failed] == ["2026-11-01.zip"]
    assert night.counts.labelled == 40
