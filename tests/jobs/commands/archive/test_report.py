"""`emojob report` as a user types it."""

import datetime
import json

import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len

from emojob.jobs.terminal import report_tables
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.report.figures import MOST_UTTERANCES, ReportOptions, make_figures
from emojob.pipeline.report.html_page import render_report
from emojob.pipeline.report.sections import sections
from emojob.pipeline.report.words import words_of
from tests.archives import utterance, write_archive


def test_the_report_shows_emotions_days_and_the_change(emojob, out):
    code, printed, err = emojob("report", out)
    assert (code, err) == (0, "")
    assert "\x1b" not in printed
    assert max(map(cell_len, printed.splitlines())) <= 80
    assert "2026-11-23 to 2026-11-24, 2 labelled utterances" in printed
    assert [line.split()[-2:] for line in printed.splitlines() if "분노" in line] == [["too", "few"]]


def test_by_selects_the_breakdown(emojob, out):
    assert "\n  room\n" in emojob("report", out, "--by", "room")[1]
    assert "\n  hour\n" in emojob("report", out, "--by", "hour")[1]
    code, _, err = emojob("report", out, "--by", "rum")
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("values", [("am", "pm"), ("am", "am")])
@pytest.mark.parametrize(("name", "heading"), [("day", "by day"), ("hour", "hour")])
def test_day_and_hour_are_the_times_and_quotes_name_a_column(emojob, tmp_path, name, heading, values):
    rows = [utterance("기쁨", sent_at=f"2026-11-2{i} 09:00", **{name: value}) for i, value in enumerate(values)]
    out = write_archive(tmp_path / "out", rows)
    code, printed, err = emojob("report", out, "--by", name)
    assert (code, err.count("\n"), f"--by '\"{name}\"'" in err) == (0, 1, True)
    assert (" am " in printed, "2026-11-20" in printed or "  9 " in printed) == (False, True)
    code, printed, err = emojob("report", out, "--by", f'"{name}"')
    assert (code, err, " am " in printed) == (0, "", True)
    assert " am " not in emojob("report", out)[1]
    without = [{key: value for key, value in row.items() if key != "sent_at"} for row in rows]
    code, printed, err = emojob("report", write_archive(tmp_path / "no times", without), "--by", name)
    assert (code, " am " in printed, "no times" in err) == (0, True, True)


def test_a_column_like_hour_in_another_case_is_named(emojob, tmp_path):
    rows = [utterance("기쁨", sent_at=f"2026-11-2{i} 09:00", Hour="am") for i in range(2)]
    out = write_archive(tmp_path / "out", rows)
    assert emojob("report", out, "--by", "hour")[2].endswith("give --by Hour\n")
    assert emojob("report", out, "--by", "Hour")[2] == ""


def test_the_report_may_be_korean(emojob, out):
    assert "out 감정 보고서" in emojob("report", out, "--language", "ko")[1]


def test_a_page_and_figures_are_written(emojob, out, tmp_path):
    code, printed, _ = emojob("report", out, "--html", tmp_path / "r.html", "--json", tmp_path / "r.json")
    assert code == 0
    assert str(tmp_path / "r.html") in printed
    assert json.loads((tmp_path / "r.json").read_text())["archive"]["labelled"] == 2
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_on_standard_output_is_the_only_output(emojob, out):
    assert json.loads(emojob("report", out, "--json", "-")[1])["archive"]["rows"] == 3


def test_an_impossible_file_is_refused_before_the_work(emojob, out, tmp_path):
    assert emojob("report", out, "--html", tmp_path / "no" / "r.html")[0] == 2
    part = next(out.glob("part-*"))
    before = pq.read_table(part)
    assert emojob("report", out, "--json", part)[0] == 2
    assert pq.read_table(part).equals(before)


def test_from_and_to_limit_the_days(emojob, out):
    code, printed, err = emojob("report", out, "--from", "2026-11-24", "--json", "-")
    assert (code, err) == (0, "")
    assert {row["day"] for row in json.loads(printed)["days"]} == {"2026-11-24"}
    assert json.loads(printed)["archive"]["labelled"] == 1
    assert json.loads(emojob("report", out, "--to", "2026-11-23", "--json", "-")[1])["latest"]["day"] == "2026-11-23"
    assert emojob("report", out, "--from", "soon")[::2] == (
        2, "emojob: --from 'soon' is not a date; give a date such as 2026-11-24\n"
    )  # fmt: skip
    code, _, err = emojob("report", out, "--from", "2026-11-24", "--to", "2026-11-23")
    assert (code, "--from 2026-11-24 is after --to 2026-11-23" in err) == (2, True)


def test_from_needs_times(emojob, tmp_path):
    out = write_archive(tmp_path / "out", [utterance("기쁨")])
    code, _, err = emojob("report", out, "--from", "2026-11-24")
    assert (code, "--from and --to need times" in err, err.count("\n")) == (2, True, 1)


def test_a_stray_day_is_named_and_does_not_stretch_the_report(emojob, tmp_path):
    days = [datetime.datetime(2026, 11, day, 9) for day in range(1, 11) for _ in range(58)]
    rows = [utterance("기쁨", sent_at=day) for day in [*days, datetime.datetime(2036, 1, 1)]]
    out = write_archive(tmp_path / "out", rows, time_column="sent_at")
    for language, text in (("en", "2036-01-01 (rows: 1)"), ("ko", "2036-01-01(1행)")):
        code, printed, _ = emojob("report", out, "--language", language, "--html", tmp_path / "r.html")
        assert (code, text in printed.replace("\n", " ")) == (0, True)
        assert text in (tmp_path / "r.html").read_text()
    figures = make_figures(open_labelled(out))
    assert figures.latest["day"] == datetime.date(2026, 11, 10)
    over_time = sections(figures, words_of("en"))[0][1][0]
    assert "2036" not in json.dumps(over_time.specs)


def test_a_significant_change_is_bold_and_others_are_not(tmp_path):
    rows = [
        utterance("분노" if i % 10 < (6 if day == 20 else 1) else "일상", sent_at=datetime.datetime(2026, 11, day, 9))
        for day in range(1, 21)
        for i in range(200)
    ]
    archive = write_archive(tmp_path / "big", rows, time_column="sent_at")
    figures = make_figures(open_labelled(archive))
    assert {row["emotion"]: row["significant"] for row in figures.latest["emotions"]} == {"분노": True, "일상": True}
    quiet = make_figures(open_labelled(archive), ReportOptions(last_day=datetime.date(2026, 11, 19)))
    assert not any(row["significant"] for row in quiet.latest["emotions"])
    for made, is_bold in ((figures, True), (quiet, False)):
        table = report_tables._emotions(made, words_of("en"))
        changes = list(table.columns[-1].cells)
        assert [str(cell.style) == "bold" for cell in changes] == [is_bold] * 2
        assert "±" in str(changes[0])
        assert ("<strong>" in render_report(made).decode().split("</dl>")[0]) == is_bold


def test_the_text_of_a_conversation_to_look_at_is_the_text_of_its_last_emotion(emojob, tmp_path):
    """Rows without an emotion and utterances of others may follow, also more than the page shows."""
    start = datetime.datetime(2026, 11, 23, 9)
    spoken = [("고객", "기쁨", "반가워요"), ("고객", "분노", "너무해요"), ("고객", None, None)]
    spoken += [("상담원", "일상", "죄송합니다")] * (MOST_UTTERANCES + 1)
    rows = [
        utterance(emotion, 0.9, text, conversation_id="1", speaker=who, sent_at=start + datetime.timedelta(minutes=i))
        for i, (who, emotion, text) in enumerate(spoken)
    ]
    lines = emojob("report", write_archive(tmp_path / "out", rows))[1].splitlines()
    assert [line.split() for line in lines if "너무해요" in line] == [
        ["1", "2026-11-23", "09:01", "😡", "90%", "너무해요"]
    ]


class TestTimes:
    """Values of the time column that are not times."""

    TIMES = ("2026-11-23 09:00", "모름", "03/04/2026", "04/04/2026")

    def test_they_are_counted_in_the_terminal_the_page_and_the_json(self, emojob, tmp_path):
        out = write_archive(tmp_path / "out", [utterance("기쁨", at=at) for at in self.TIMES], time_column="at")
        page, figures = tmp_path / "r.html", tmp_path / "r.json"
        code, printed, _ = emojob("report", out, "--html", page, "--json", figures)
        assert code == 0
        lines = [" ".join(printed.split()), " ".join(page.read_text(encoding="utf-8").split())]
        for text in lines:
            assert "1 of the values of the column at are not times" in text
            assert "2 of the values of the column at can be read with the day, the month or the year first" in text
            assert "--date-order ymd, mdy or dmy" in text
            assert not set(self.TIMES[1:]) & set(text.split())
        archive = json.loads(figures.read_text(encoding="utf-8"))["archive"]
        assert (archive["times_unread"], archive["times_undecided"], archive["time_column"]) == (3, 2, "at")
        korean = " ".join(emojob("report", out, "--language", "ko")[1].split())
        assert "열 at의 값 1개는 시각이 아닙니다" in korean

    def test_digits_with_several_meanings_are_counted_apart(self, emojob, tmp_path):
        times = [f"26112{day}{hour:02d}00" for day in range(10) for hour in range(8)]
        out = write_archive(tmp_path / "out", [utterance("기쁨", at=at) for at in [*times, "모름"]], time_column="at")
        code, printed, _ = emojob("report", out, "--json", tmp_path / "r.json")
        assert code == 0
        text = " ".join(printed.split())
        assert "80 of the values of the column at may have several meanings" in text
        assert "1 of the values of the column at are not times" in text
        archive = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["archive"]
        assert (archive["times_unread"], archive["times_undecided"], archive["times_unclear"]) == (81, 0, 80)

    def test_the_option_settles_the_order(self, emojob, tmp_path):
        out = write_archive(tmp_path / "out", [utterance("기쁨", at=at) for at in self.TIMES], time_column="at")
        found = json.loads(emojob("report", out, "--date-order", "mdy", "--json", "-")[1])
        assert [row["day"] for row in found["days"]] == ["2026-03-04", "2026-04-04", "2026-11-23"]
        query = "SELECT said_at::DATE::VARCHAR AS day FROM labelled ORDER BY day LIMIT 1"
        code, printed, err = emojob("sql", out, query, "--date-order", "dmy", "--format", "json")
        assert (code, json.loads(printed)) == (0, [{"day": "2026-04-03"}])
        assert err.startswith("emojob: 1 value of the column at is not a time, so these times stay empty; most")
        assert emojob("report", out, "--date-order", "ydm")[0] == 2

    def test_columns_with_times_only_have_no_note(self, emojob, tmp_path):
        out = write_archive(tmp_path / "out", [utterance("기쁨", at=at) for at in ("2026-11-23", "")], time_column="at")
        assert "not times" not in emojob("report", out)[1]
        assert emojob("sql", out, "SELECT 1")[2] == ""


class TestRoles:
    """The columns that a report uses."""

    def test_the_terminal_the_page_and_the_json_name_them(self, emojob, tmp_path):
        rows = [utterance("기쁨", date="2026-11-20", time="10:00", who="고객")]
        out, page, figures = write_archive(tmp_path / "out", rows), tmp_path / "r.html", tmp_path / "r.json"
        code, printed, _ = emojob("report", out, "--html", page, "--json", figures)
        line = "columns: text text, time date+time, conversation none (emojob score --conversation-column), speaker who"
        assert (code, line in " ".join(printed.split()), line in page.read_text(encoding="utf-8")) == (0, True, True)
        assert json.loads(figures.read_text(encoding="utf-8"))["archive"]["roles"]["time"] == "date+time"
        assert "열: 텍스트 text, 시각 date+time, 대화 열 지정 안 됨" in emojob("report", out, "--language", "ko")[1]

    def test_a_report_without_any_time_says_so(self, emojob, tmp_path):
        out = write_archive(tmp_path / "out", [utterance("기쁨", date=f"4634{i}.5") for i in range(4)])
        printed = " ".join(emojob("report", out, "--language", "ko")[1].split())
        assert "열 date의 값 4개는 엑셀의 날짜 번호로 보입니다" in printed
        assert "시각의 100%를 읽을 수 없습니다. 이 값은 대부분 99999.9 모양입니다" in printed
        assert "--time-column" in printed
        assert "46340" not in printed

    def test_values_that_are_numbers_keep_their_order(self, emojob, tmp_path):
        rows = [utterance("기쁨", stars=str(stars)) for stars in (3, 3, 3, 1, 1, 2, 10)]
        found = json.loads(emojob("report", write_archive(tmp_path / "out", rows), "--json", "-")[1])
        assert [row["value"] for row in found["breakdowns"]["stars"]] == ["1", "2", "3", "10"]
