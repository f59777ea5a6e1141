"""The table of drift checks says what each number is."""

from types import SimpleNamespace

from emojob.pipeline.report.drift_table import drift_section
from emojob.pipeline.report.words import words_of


def check(name, value, before, limit, alarm=False):
    return {"name": name, "value": value, "before": before, "limit": limit, "alarm": alarm}


def cells(language, *checks):
    drift = {"day": "2026-11-19", "days_before": 9, "checks": checks}
    section = drift_section(SimpleNamespace(drift=drift), words_of(language))
    return [row["cells"] for row in section["rows"]]


def test_each_number_has_its_unit():
    assert cells("en", check("rows", 2.0, 774, 1.75)) == [["1,548 (200%)", "774", "at most 1,354"]]
    assert cells("en", check("rows", 0.25, 774, 0.5)) == [["194 (25%)", "774", "at least 387"]]
    assert cells("ko", check("emotions", 0.778, None, 0.2)) == [["0.78", "–", "0.20 이하"]]
    assert cells("ko", check("unsure", 0.125, 0.1, 0.2)) == [["12.5%", "10.0%", "20.0% 이하"]]


def test_few_rows_are_numbers_of_rows_not_shares():
    assert cells("ko", check("rows", 1.0, 2, 3.0), check("rows", 0, 1.5, 0.5)) == [
        ["2 (100%)", "2", "6 이하"],
        ["0 (0%)", "2", "1 이상"],
    ]


def test_alarms_are_first():
    assert cells("en", check("empty", 0.1, 0.1, 0.2), check("rows", 3.0, 10, 2.0, alarm=True))[0][0] == "30 (300%)"
