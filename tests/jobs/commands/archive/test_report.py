"""`emojob report` as a user types it."""

import json

import pyarrow.parquet as pq
from rich.cells import cell_len


def test_the_report_shows_emotions_days_and_the_change(emojob, out):
    code, printed, err = emojob("report", out)
    assert (code, err) == (0, "")
    assert "\x1b" not in printed
    assert max(map(cell_len, printed.splitlines())) <= 80
    assert "2026-11-23 to 2026-11-24, 2 labelled utterances" in printed
    assert [line.split()[-2:] for line in printed.splitlines() if "분노" in line] == [["100.0%", "+100.0"]]


def test_by_selects_the_breakdown(emojob, out):
    assert "\n  room\n" in emojob("report", out, "--by", "room")[1]
    assert "\n  hour\n" in emojob("report", out, "--by", "hour")[1]
    code, _, err = emojob("report", out, "--by", "rum")
    assert (code, err.count("\n")) == (2, 1)


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
