"""`emojob nightly` as cron runs it: exit codes, a summary line, a log and metrics."""

import datetime
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from emojob.jobs.commands.scoring import nightly
from emojob.pipeline.output.labelled_archive import open_labelled
from tests.command_line import one_line

WORDS = ["배송", "환불", "정말", "고마워요", "왜", "아직", "안", "와요", "기뻐요", "걱정", "네"]


@pytest.fixture
def place(tmp_path, tiny_model):
    """A folder with four days of logs and a configuration."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "n.toml").write_text(
        '[input]\nfiles = "logs/{date}.csv"\n[output]\narchive = "out"\nreport = "r.html"\n'
        f'[score]\nmodel = "{tiny_model}"\nmax_rejects = "2"\n[drift]\nfewest_rows = 20\n'
        '[monitoring]\nlog = "n.jsonl"\nprometheus = "n.prom"\n'
    )
    for day in (1, 2, 3, 4):
        write(tmp_path, day, [" ".join(WORDS[(i * 7 + j + day) % 11] for j in range(4)) for i in range(40)])
    return tmp_path


def write(place, day: int, texts: list[str]) -> None:
    (place / "logs" / f"2026-11-{day:02}.csv").write_text("text\n" + "\n".join(texts) + "\n")


def lines(place) -> list[dict]:
    return [json.loads(line) for line in (place / "n.jsonl").read_text().splitlines()]


def metrics(place) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families((place / "n.prom").read_text())
    return {(s.name, next(iter(s.labels.values()), "")): s.value for family in families for s in family.samples}


def test_a_night_prints_one_line(emojob, place):
    code, out, err = emojob("nightly", place / "n.toml", "--date", "2026-11-04")
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("2026-11-04: 4 of 4 inputs scored, 160 rows; 40 labelled rows")
    assert "40 labelled rows of this date; drift: none; wrote" in out
    assert "\x1b" not in err
    assert emojob("nightly", place / "n.toml", "--date", "2026-11-04", "--quiet") == (0, "", "")


def test_a_drift_alarm_ends_with_4_and_is_in_every_output(emojob, place):
    for day in (1, 2, 3, 4):
        write(place, day, [" ".join(WORDS[(i * 7 + j + day) % 11] for j in range(4)) for i in range(200)])
    emojob("nightly", place / "n.toml", "--date", "2026-11-04")
    write(place, 5, ["네"] * 200)
    code, out, err = emojob("nightly", place / "n.toml", "--date", "2026-11-05", "--quiet")
    assert (code, out) == (4, "")
    assert re.match(r"emojob: drift on 2026-11-05 \(emotions\): \S+ \(\w+\) \d+% -> \d+%", err)
    assert "emotions" in lines(place)[-1]["drift"]["alarms"]
    assert metrics(place)["emojob_drift_alarm", "emotions"] == 1
    assert "Different from the days before" in (place / "r.html").read_text()


def test_an_unreadable_input_ends_with_2_and_the_others_are_done(emojob, place):
    (place / "logs" / "2026-11-03.csv").write_bytes(b"")
    code, out, err = emojob("nightly", place / "n.toml", "--date", "2026-11-04")
    assert code == 2
    assert "1 not scored because of an error" in out
    assert "emojob: an input was not scored: " in err
    assert "2026-11-03.csv" in err
    assert metrics(place)["emojob_inputs_failed", ""] == 1


def test_too_many_rejects_end_with_3(emojob, place):
    rows = "".join(f"{i},좋아요\n" for i in range(40)) + "1,네,네\n" * 3
    (place / "logs" / "2026-11-04.csv").write_text(f"id,text\n{rows}")
    code, out, _ = emojob("nightly", place / "n.toml", "--date", "2026-11-04")
    assert (code, "; rejected rows: 3 (listed in the view rejects of emojob sql)" in out) == (3, True)


def test_a_night_of_which_no_row_is_labelled_ends_with_3_and_every_output_says_so(emojob, place):
    config = place / "n.toml"
    config.write_text(config.read_text().replace('"2"', '"100%"').replace('"r.html"', '"r.html"\nlanguage = "ko"'))
    (place / "logs/2026-11-04.csv").write_text("id,text\n" + "1,네,네\n" * 3)
    for _ in range(2):  # the second night scores nothing
        code, _, err = emojob("nightly", config, "--date", "2026-11-04", "--quiet")
        assert code == 3
        assert "2026-11-04.csv: none of 3 rows is labelled: 3 are rejected (3 fields where the header has 2)" in err
    assert [(one["rejected"], one["empty"]) for one in lines(place)[-1]["unlabelled"]] == [(3, 0)]
    assert metrics(place)["emojob_inputs_unlabelled", ""] == 1
    assert "2026-11-04.csv에서 라벨이 붙은 행이 없습니다" in (place / "r.html").read_text()
    (place / "logs/2026-11-05.csv").write_text("id,text\n1,\n")
    code, _, err = emojob("nightly", config, "--date", "2026-11-05")
    assert (code, err.count("2026-11-05.csv: none of 1 row is labelled, because none has a text")) == (4, 1)


def test_a_first_night_of_which_no_row_is_labelled_ends_with_3(emojob, place):
    for file in (place / "logs").iterdir():
        file.write_text("id,text\n1,네,네\n")
    code, _, err = emojob("nightly", place / "n.toml", "--date", "2026-11-04", "--quiet")
    assert (code, err.count("none of 1 row is labelled")) == (3, 3)
    assert "of 1 more inputs, no row is labelled either" in err


def test_the_lines_of_a_night_are_in_the_language_of_the_configuration(emojob, place):
    config = place / "n.toml"
    config.write_text(config.read_text().replace('"r.html"', '"r.html"\nlanguage = "ko"'))
    check = emojob("nightly", config, "--date", "2026-11-04", "--check")[1]
    assert check.startswith("2026-11-04 야간 실행\n  새 입력: 4\n")
    assert "  열: 텍스트 text, 시각 지정 안 됨(score.time_column), 대화" in check
    assert emojob("nightly", config, "--date", "2026-11-01")[1].startswith("2026-11-01: 입력 1개 중 1개 처리, 행 40개;")
    out = emojob("nightly", config, "--date", "2026-11-04")[1]
    assert "늦게 도착한 입력: 2026-11-02, 2026-11-03; 이 날짜의 라벨링된 행 40개; 드리프트: 없음; 작성한 파일: " in out


def test_a_file_that_the_night_refuses_is_refused_by_the_check_too(emojob, place):
    night = ("nightly", place / "n.toml", "--date", "2026-11-05")
    assert emojob("nightly", place / "n.toml", "--date", "2026-11-04")[0] == 0
    (place / "logs" / "2026-11-05.csv").write_text("id,말\n1,좋아요\n")
    (code, out, err), (code_of_night, _, err_of_night) = emojob(*night, "--check"), emojob(*night)
    (line,) = [one for one in err.splitlines() if "would not be scored" in one]
    assert (code, code_of_night) == (2, 2)
    assert line.replace("would not be", "was not") in err_of_night.splitlines()
    assert "rename it to text in this file" in line
    assert "columns: text text, time none (score.time_column)" in out


def test_a_missing_file_is_said_with_an_exit_code(emojob, place):
    config = place / "n.toml"
    night = ("nightly", config, "--date", "2026-11-05")
    for more in (["--check"], []):
        code, _, err = emojob(*night, *more)
        assert (code, "emojob: 2026-11-05 has no file" in err) == (4, True)
    assert lines(place)[-1]["missing"] == "day"
    config.write_text(config.read_text().replace("[drift]\n", "[drift]\nholidays = [2026-11-05]\n"))
    for more in (["--check"], []):
        assert emojob(*night, *more)[0] == 0
    for file in (place / "logs").iterdir():
        file.unlink()
    config.write_text(config.read_text().replace('"out"', '"another"'))
    for more in (["--check"], []):
        code, _, err = emojob(*night, *more)
        assert (code, "no file matches: correct the pattern" in err) == (2, True)


def test_a_day_of_few_files_or_a_closed_day_is_only_a_line(emojob, place):
    for day in (5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21):  # 8, 15 and 22 November 2026 are Sundays
        write(place, day, ["네"])
    (place / "logs/2026-11-01.csv").unlink()
    code, _, err = emojob("nightly", place / "n.toml", "--date", "2026-11-22", "--check")
    assert (code, "emojob: 2026-11-22 has no file" in err) == (0, True)
    (place / "logs/2026-11-20.csv").unlink()
    assert emojob("nightly", place / "n.toml", "--date", "2026-11-20", "--check")[0] == 4


def test_the_log_has_one_line_for_each_night_and_no_text(emojob, place):
    for night in ("2026-11-03", "2026-11-04", "2026-11-04"):
        emojob("nightly", place / "n.toml", "--date", night)
    found = lines(place)
    assert [line["day"] for line in found] == ["2026-11-03", "2026-11-04"]
    assert found[1]["labelled"] == sum(found[1]["emotions"].values()) == 40
    assert not any(word in (place / "n.jsonl").read_text() for word in WORDS if len(word) > 1)


def test_a_truncated_log_line_does_not_damage_the_next(emojob, place):
    (place / "n.jsonl").write_bytes(b'{"day": "2026-11-0')
    emojob("nightly", place / "n.toml", "--date", "2026-11-04")
    assert json.loads((place / "n.jsonl").read_text().splitlines()[1])["day"] == "2026-11-04"


def test_metrics_are_in_the_format_of_prometheus(emojob, place):
    emojob("nightly", place / "n.toml", "--date", "2026-11-04")
    found = metrics(place)
    assert found["emojob_rows_scored", ""] == 160
    assert found["emojob_day_rows", "labelled"] == 40
    assert sum(value for (name, _), value in found.items() if name == "emojob_day_emotion_rows") == 40
    assert found["emojob_night_timestamp_seconds", ""] == 1793750400
    content, written = (place / "n.prom").read_bytes(), (place / "n.prom").stat().st_mtime_ns
    emojob("nightly", place / "n.toml", "--date", "2026-11-04")
    assert (place / "n.prom").stat().st_mtime_ns > written
    assert b"emojob_rows_scored 0.0\n" in (place / "n.prom").read_bytes() != content


def test_the_example_configuration_passes_its_check(emojob, tmp_path):
    code, out, _ = emojob("nightly", tmp_path / "new.toml", "--init")
    assert (code, f"emojob nightly {tmp_path / 'new.toml'} --check" in out) == (0, True)
    assert f"nightly {tmp_path / 'new.toml'} --quiet || mail -s" in out
    code, _, err = emojob("nightly", tmp_path / "new.toml", "--check")
    assert (code, err.count("\n")) == (2, 1)
    assert "input.files is 'logs/{date}*.parquet', and no file matches" in err
    (tmp_path / "logs").mkdir()
    pq.write_table(pa.table({"text": ["네"]}), tmp_path / "logs/2026-11-04.parquet")
    assert emojob("nightly", tmp_path / "new.toml", "--check", "--date", "2026-11-04")[0] == 0
    code, _, err = emojob("nightly", tmp_path / "new.toml", "--init")
    assert (code, "exists" in err) == (2, True)


def test_a_mistake_is_one_line_and_exit_code_2(emojob, place):
    for arguments in (["--date", "yesterday"], ["--date", "2026-13-01"]):
        code, out, err = emojob("nightly", place / "n.toml", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
    (place / "n.toml").write_text("[inputs]\n")
    code, _, err = emojob("nightly", place / "n.toml")
    assert (code, err.count("\n")) == (2, 1)
    assert "did you mean input?" in err


def without_mark(page) -> str:
    """Return a report without the mark of the archive, which is random."""
    return re.sub('<meta name="emojob-archive" content="[^"]*">', "", page.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('log = "n.jsonl"', 'log = "no/n.jsonl"', "monitoring.log is 'no/n.jsonl', but the folder"),
        ('log = "n.jsonl"', 'log = "logs"', "logs is a folder; give a file name"),
        ('prometheus = "n.prom"', 'prometheus = "no/n.prom"', "monitoring.prometheus is 'no/n.prom', but the folder"),
        ("[drift]", 'time_zone = "Asia/Seol"\n[drift]', "score.time_zone 'Asia/Seol' is unknown"),
        ("[drift]", 'time_zone = "asia seoul"\n[drift]', "did you mean Asia/Seoul?"),
    ],
)
def test_a_setting_that_the_end_of_the_night_needs_is_checked_at_its_beginning(emojob, place, before, after, message):
    config = place / "n.toml"
    config.write_text(config.read_text().replace(before, after))
    for more in (["--check"], []):
        code, out, err = emojob("nightly", config, "--date", "2026-11-04", *more)
        assert (code, out) == (2, "")
        assert message in one_line(err)
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("setting", "messages"),
    [
        ('model = "no/such/model"', ['score.model = "no/such/model"']),
        ('device = "cuda"', ["no GPU was found"]),
        ('text_column = "본문"', ["01.csv has no column '본문'", "04.csv has no column '본문'"]),
        ('as_text = ["nix"]', ["01.csv (score.as_text"]),
        ('time_column = "nix"', ["01.csv (score.time_column"]),
        ('speaker_column = "nix"', ["01.csv (score.speaker_column"]),
        ('hash_columns = ["nix"]\nhash_key_file = "key"', ["01.csv (score.hash_columns"]),
        ('explode = "a"', ["01.csv: score.explode"]),
        ('encoding = "cp949"', ["01.csv is not in cp949"]),
        ('[report]\nnegative = ["nix"]', ["report.negative"]),
    ],
)
def test_a_check_gives_the_message_and_the_exit_code_of_the_run(emojob, place, monkeypatch, setting, messages):
    monkeypatch.setattr("emojob.pipeline.system.hardware.is_installed", lambda name: False)
    (place / "key").write_text("a key that is long enough")
    config = place / "n.toml"
    config.write_text(
        re.sub("model = .*" if setting.startswith("model") else "(?=\\[drift)", f"{setting}\n", config.read_text())
    )
    results = [emojob("nightly", config, "--date", "2026-11-04", "--quiet", *more) for more in (["--check"], [])]
    errors = [[line for line in err.splitlines() if "no rows" not in line] for _, _, err in results]
    assert [code for code, _, _ in results] == [2, 2]
    assert [line.replace("would not be scored", "was not scored") for line in errors[0]] == errors[1]
    assert all(message in "\n".join(errors[0]) for message in messages)


def test_a_check_accepts_a_column_that_only_earlier_files_have(emojob, place):
    config = place / "n.toml"
    config.write_text(config.read_text().replace("[drift]", 'speaker_column = "who"\n[drift]'))
    for day in (1, 2, 3):
        file = place / "logs" / f"2026-11-0{day}.csv"
        file.write_text(file.read_text().replace("\n", ",a\n").replace("text,a", "text,who"))
    assert emojob("nightly", config, "--date", "2026-11-03")[0] == 0
    assert emojob("nightly", config, "--date", "2026-11-04", "--check")[0] == 0
    assert emojob("nightly", config, "--date", "2026-11-04")[0] == 0


@pytest.mark.parametrize("odd", [1, 3])
def test_on_the_first_night_the_text_column_of_most_files_decides(emojob, place, odd):
    file = place / "logs" / f"2026-11-0{odd}.csv"
    file.write_text(file.read_text().replace("text", "message", 1))
    for more in (["--check"], []):
        code, _, err = emojob("nightly", place / "n.toml", "--date", "2026-11-04", "--quiet", *more)
        assert code == 2
        assert f"0{odd}.csv has the text column message, but the text column of" in one_line(err)
        assert "rename the column to text in this file" in err
    assert sum(one["rows"] for one in lines(place)[-1]["scored"]) == 120


def test_a_killed_night_resumes_to_the_same_result(place):
    def night(until: Callable[[], bool] | None = None) -> int:
        """Run the night in a process of its own; kill it once the condition holds."""
        command = [sys.executable, "-m", "emojob", "nightly", str(place / "n.toml"), "--date", "2026-11-04", "--quiet"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while until and process.poll() is None:
            if until():
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01)
        return process.wait()

    def complete_parts() -> int:
        return len(list((place / "out/_emojob/parts").glob("*.json")))

    for day in (1, 2, 3, 4):
        write(place, day, [" ".join(WORDS[(i * 7 + j + day) % 11] for j in range(4)) for i in range(500)])
    assert night() == 0
    whole = json.loads((place / "n.jsonl").read_text())
    page = without_mark(place / "r.html")
    for file in [*(place / "out").rglob("*"), place / "n.jsonl", place / "r.html", place / "n.prom"]:
        if file.is_file():
            file.unlink()
    ended = [
        night(lambda: (place / "out/_emojob/nightly.lock").exists()),
        night(lambda: complete_parts() >= 1),
        night(lambda: complete_parts() == 4),
    ]
    assert -signal.SIGKILL in ended
    assert night() == 0
    assert without_mark(place / "r.html") == page
    last = json.loads((place / "n.jsonl").read_text().splitlines()[-1])
    assert {key: last[key] for key in ("rows", "emotions", "drift")} == {
        key: whole[key] for key in ("rows", "emotions", "drift")
    }
    assert not [file for file in place.rglob("*") if file.name.endswith(".tmp")]


# -- files of the user -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r.html", "r.json", "n.jsonl", "n.prom"])
@pytest.mark.parametrize("content", ["mine\n", '{"days": []}\n', "link"])
def test_a_night_does_not_start_if_it_would_change_a_file_of_the_user(emojob, place, name, content):
    config = place / "n.toml"
    config.write_text(config.read_text().replace('report = "r.html"', 'report = "r.html"\nfigures = "r.json"'))
    (place / "mine").write_text("mine\n")
    if content == "link":
        (place / name).symlink_to(place / "mine")
    else:
        (place / name).write_text(content)
    before = (place / name).read_bytes()
    for more in ((), ("--check",)):
        code, out, err = emojob("nightly", config, "--date", "2026-11-04", *more)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert name in err
        assert "--force" not in err
    assert (place / name).read_bytes() == before
    assert not (place / "out").exists()
    (place / name).unlink()
    for _ in range(2):
        assert emojob("nightly", config, "--date", "2026-11-04")[0] == 0
    (place / name).write_bytes(b"")
    assert emojob("nightly", config, "--date", "2026-11-04")[0] == 0


@pytest.mark.parametrize("key", ["report", "figures", "log", "prometheus"])
def test_a_night_does_not_write_into_the_state_of_an_archive_or_an_input(emojob, place, key):
    config = place / "n.toml"
    plain = config.read_text()
    assert emojob("nightly", config, "--date", "2026-11-04")[0] == 0
    section = "[monitoring]\n" if key in ("log", "prometheus") else "[output]\n"
    for name in (
        "out/_emojob/run.json",
        "out/_emojob/new",
        "logs/2026-11-04.csv",
        "out/part-00000-000000000000.parquet",
    ):
        line = f'{key} = "{name}"\n'
        text = plain.split("[monitoring]")[0].replace('report = "r.html"\n', "")
        config.write_text(text.replace(section, section + line) if section in text else text + section + line)
        files = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
        code, _, err = emojob("nightly", config, "--date", "2026-11-04")
        assert (code, err.count("\n")) == (2, 1), name
        assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == files, name


# -- a wrong clock -----------------------------------------------------------------------------------------------------


def rows_of(emojob, place) -> int:
    code, out, _ = emojob("sql", place / "out", "SELECT count(*) FROM labelled", "--format", "csv")
    assert code == 0
    return int(out.splitlines()[1])


@pytest.fixture
def clock(monkeypatch) -> Callable[[str], None]:
    """clock(date): the system clock says that a nightly run without --date is for this date."""

    def say(date: str) -> None:
        day = datetime.date.fromisoformat(date)
        parse = nightly.parse_day
        monkeypatch.setattr(nightly, "_day", lambda given: parse("--date", given) or day)

    return say


def test_a_clock_that_is_ahead_does_not_empty_the_archive(emojob, place, clock):
    config = place / "n.toml"
    config.write_text(config.read_text().replace("[output]", "[output]\nkeep_days = 20"))
    clock("2026-11-04")
    assert emojob("nightly", config)[0] == 0
    clock("2062-01-01")
    code, _, err = emojob("nightly", config)
    assert (code, rows_of(emojob, place)) == (0, 160)
    assert "output.keep_days removes nothing" in err
    for date in ("2026-11-05", "1969-12-31"):
        clock(date)
        code, _, err = emojob("nightly", config)
        assert (code in (0, 4), "keep_days" in err) == (True, False)  # 4: there are no rows of this date
        assert rows_of(emojob, place) == 160
    clock("2026-11-22")  # the clock is right: the rows of two days are too old
    assert emojob("nightly", config)[0] in (0, 4)
    assert rows_of(emojob, place) == 80
    assert emojob("nightly", config, "--date", "2062-01-01")[0] == 0
    assert emojob("sql", place / "out", "FROM labelled")[0] == 2  # no rows are left


def test_a_clock_that_was_set_back_does_not_date_new_files_back(emojob, place, clock):
    config = place / "n.toml"
    config.write_text(config.read_text().replace("{date}", "*").replace("[output]", "[output]\nkeep_days = 20"))
    clock("2026-11-04")
    assert emojob("nightly", config)[0] == 0
    write(place, 5, ["네"] * 40)
    clock("1969-12-31")
    code, out, err = emojob("nightly", config)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "check the system clock, or give the date with --date" in err
    clock("2026-11-03")  # another time zone
    assert emojob("nightly", config)[0] == 0
    clock("2026-11-06")
    assert emojob("nightly", config)[0] == 0
    assert rows_of(emojob, place) == 200


def test_a_check_names_the_columns_with_a_role(emojob, place):
    out = emojob("nightly", place / "n.toml", "--check", "--date", "2026-11-04")[1]
    assert "  columns: text text, time none (score.time_column), conversation none" in out


def test_a_role_that_the_configuration_changes_is_that_of_the_archive_without_labelling_again(emojob, place):
    (place / "logs" / "2026-11-05.csv").write_text("text,ch,staff\n네,앱,김\n아니요,웹,이\n", encoding="utf-8")
    config = place / "n.toml"
    text = config.read_text()
    for column in ("ch", "staff"):
        config.write_text(text.replace("[score]", f'[score]\nspeaker_column = "{column}"'))
        assert f"speaker {column}" in emojob("nightly", config, "--check", "--date", "2026-11-05")[1]
        code, out, _ = emojob("nightly", config, "--date", "2026-11-05")
        assert code in (0, 4)
        assert open_labelled(place / "out").speaker_column == column
    assert "0 of 5 inputs scored" in out
