"""The figures of a report: complete, equal to plain counts, and empty where the archive has no data."""

import collections
import datetime
import json

import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.report.figures import SHOWN_VALUES, ReportOptions, latest, make_figures
from emojob.schemas.errors import ColumnError, OptionError
from tests.archives import utterance, write_archive


@pytest.fixture
def figures(tmp_path):
    """figures(rows, **options): the figures of an archive with these rows."""

    def make(rows: list[dict], **options: str):
        return make_figures(open_labelled(write_archive(tmp_path / "out", rows)), ReportOptions(**options))

    return make


def test_the_totals_match_the_rows(figures, talks):
    archive = figures(talks).archive
    assert archive["rows"] == len(talks)
    assert archive["labelled"] == sum(row["emotion"] is not None for row in talks)
    assert archive["empty"] == archive["rows"] - archive["labelled"]
    assert (archive["first_day"], archive["last_day"]) == (datetime.date(2026, 11, 16), datetime.date(2026, 11, 23))
    assert archive["conversations"] == len({row["conversation_id"] for row in talks if row["emotion"]})


def test_the_last_day_is_compared_with_the_days_before(figures, talks):
    made = figures(talks).latest
    labelled = [row for row in talks if row["emotion"]]
    last = [row for row in labelled if row["sent_at"].day == 23]
    before = [row for row in labelled if row["sent_at"].day < 23]
    assert (made["rows"], made["days_before"]) == (len(last), 7)
    assert made["rows_a_day_before"] == pytest.approx(len(before) / 7)
    anger = next(row for row in made["emotions"] if row["emotion"] == "분노")
    now, earlier = (sum(row["emotion"] == "분노" for row in some) / len(some) for some in (last, before))
    assert (anger["share"], anger["before"], anger["change"]) == pytest.approx((now, earlier, now - earlier))


def test_a_single_day_has_no_days_before():
    made = latest([{"day": datetime.date(2026, 11, 1), "emotion": "기쁨", "rows": 3, "share": 1.0}])
    assert made["emotions"] == [{"emotion": "기쁨", "share": 1.0, "before": None, "change": None}]
    assert made["rows_a_day_before"] is None
    assert latest([]) == {}


def test_columns_of_few_values_are_broken_down(figures, talks):
    made = figures(talks).breakdowns
    assert set(made) == {"speaker", "channel"}
    counts = collections.Counter((row["channel"], row["emotion"]) for row in talks if row["emotion"])
    assert {(row["value"], row["emotion"]): row["rows"] for row in made["channel"]} == counts


def test_a_column_of_many_values_is_broken_down_on_request(figures):
    rows = [utterance("기쁨", shop=f"가게 {i % 300}") for i in range(900)] + [utterance("분노", shop="가게 0")]
    assert figures(rows).breakdowns == {}
    made = figures(rows, by="shop").breakdowns["shop"]
    assert made[0] == {"value": "가게 0", "others": False, "emotion": "기쁨", "rows": 3, "share": 0.75}
    assert len({row["value"] for row in made}) == SHOWN_VALUES + 1
    assert sum(row["rows"] for row in made) == len(rows)
    (others,) = [row for row in made if row["others"]]
    assert (others["value"], others["rows"], others["share"]) == (None, 3 * (300 - SHOWN_VALUES), 1.0)


def test_blank_and_missing_values_are_counted_together(figures):
    made = figures([utterance("기쁨", shop="a"), utterance("기쁨", shop=""), utterance("분노", shop=None)]).breakdowns[
        "shop"
    ]
    assert {(row["value"], row["emotion"]) for row in made} == {("a", "기쁨"), ("", "기쁨"), ("", "분노")}


def test_an_unknown_column_is_refused_with_the_known_ones(figures):
    with pytest.raises(ColumnError, match=r"--by shp is not a column.* text, emotion"):
        figures([utterance("기쁨")], by="shp")
    with pytest.raises(OptionError, match="--by is empty"):
        figures([utterance("기쁨")], by=" ")


def test_a_conversation_that_turned_bad_is_shown_in_full(figures, talks):
    (worst, *_) = figures(talks).to_look_at
    expected = [row for row in talks if row["conversation_id"] == worst["conversation"]]
    assert worst["last_emotion"] == "분노"
    assert [one["text"] for one in worst["utterances"]] == [row["text"] for row in expected]


def test_examples_have_the_highest_and_lowest_confidence_each_text_once(figures):
    rows = [utterance("기쁨", 0.3 + i / 100, f"정말 좋은 날 {'가나다라마바사아자차'[i % 10]}") for i in range(50)]
    made = figures(rows + [utterance("기쁨", 0.999, "ㅋㅋ"), utterance("기쁨", 0.999, "네")] * 3)
    assert [row["text"] for row in made.typical] == [f"정말 좋은 날 {c}" for c in "차자아사바"]
    assert [row["text"] for row in made.uncertain] == [f"정말 좋은 날 {c}" for c in "가나다라마"]


def test_without_times_and_conversations_their_figures_are_empty(figures):
    made = figures([utterance("기쁨"), utterance(None)])
    assert (made.days, made.hours_of_week, made.transitions, made.to_look_at, made.latest) == ([], [], [], [], {})
    assert "conversations" not in made.archive


def test_an_archive_without_any_text_has_a_report(figures):
    made = figures([utterance(None, conversation_id="a", sent_at=None)])
    assert (made.emotions, made.archive["labelled"], made.archive["conversations"]) == ([], 0, 0)


def test_json_has_every_table(figures, talks):
    made = json.loads(json.dumps(figures(talks).as_json()))
    assert made["format"] == 1
    assert made["days"][0]["day"] == "2026-11-16"
    assert {"emotions", "hours_of_day", "transitions", "arcs", "endings", "to_look_at", "quality"} <= set(made)
