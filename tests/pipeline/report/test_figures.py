"""The figures of a report: complete, equal to plain counts, and empty where the archive has no data."""

import collections
import datetime
import json

import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.report.figures import SHOWN_VALUES, ReportOptions, latest, make_figures
from emojob.pipeline.report.notes import conversation_notes, none_to_look_at, transitions_caption, turned_bad
from emojob.pipeline.report.words import words_of
from emojob.pipeline.statistics.shares import share_interval
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ConversationOptions
from tests.archives import table_of, utterance, write_archive, write_part, write_run


@pytest.fixture
def figures(tmp_path):
    """figures(rows, **options): the figures of an archive with these rows."""

    def make(rows: list[dict], **options: object):
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
    nothing = dict.fromkeys(("before", "change", "change_low", "change_high"))
    assert made["emotions"] == [{"emotion": "기쁨", "share": 1.0, **nothing, "significant": False}]
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
    low, high = share_interval(3, 4)
    expected = {"value": "가게 0", "others": False, "emotion": "기쁨", "rows": 3, "share": 0.75, "labelled": 4}
    assert made[0] == {**expected, "low": low, "high": high}
    assert len({row["value"] for row in made}) == SHOWN_VALUES + 1
    assert sum(row["rows"] for row in made) == len(rows)
    (others,) = [row for row in made if row["others"]]
    assert (others["value"], others["rows"], others["share"]) == (None, 3 * (300 - SHOWN_VALUES), 1.0)


def test_blank_and_missing_values_are_counted_together(figures):
    made = figures(
        [
            utterance("기쁨", shop="a"),
            utterance("기쁨", shop=""),
            utterance("분노", shop=None),
            utterance("슬픔", shop="\u3000"),
        ]
    ).breakdowns["shop"]
    assert {(row["value"], row["emotion"]) for row in made} == {("a", "기쁨"), ("", "기쁨"), ("", "분노"), ("", "슬픔")}


def test_an_unknown_column_is_refused_with_the_known_ones(figures):
    with pytest.raises(ColumnError, match=r"--by shp is not a column.* text, emotion"):
        figures([utterance("기쁨")], by="shp")
    with pytest.raises(OptionError, match="--by is empty"):
        figures([utterance("기쁨")], by="")


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


def test_negative_labels_of_unknown_meaning_are_unknown_and_not_zero(tmp_path):
    names = {"일상": "배송", "분노": "환불", "불안": "칭찬하기", "슬픔": "취소", "기쁨": "교환", "우울": "기타 문의"}
    rows = [
        utterance("일상", conversation_id="a", speaker="갑"),
        utterance("분노", 0.9, conversation_id="a", speaker="갑"),
    ]
    rows = [{**row, "emotion": names[row["emotion"]]} for row in rows]
    write_part(tmp_path / "out", table_of(rows, labels=tuple(names.values())))
    archive = open_labelled(write_run(tmp_path / "out"))
    made = make_figures(archive)
    assert (made.archive["turned"], made.archive["soured"], made.to_look_at) == (None, None, [])
    assert json.loads(json.dumps(made.as_json()))["archive"]["soured"] is None
    for language, word in (("en", "unknown"), ("ko", "알 수 없음")):
        words = words_of(language)
        assert turned_bad(made, words) == word
        assert none_to_look_at(made, words).casefold().startswith(word)
        (note, *_) = conversation_notes(made, words)
        assert "환불" in note
        assert "--negative" in note
    named = make_figures(archive, ReportOptions(conversations=ConversationOptions(negative=("환불",))))
    assert (named.archive["turned"], named.archive["soured"]) == (1, 1)
    assert not any("--negative" in note for note in conversation_notes(named, words_of("en")))


def test_the_report_says_which_utterances_count(figures, talks):
    notes = " ".join(conversation_notes(figures(talks), words_of("en")))
    made = figures(talks)
    assert made.speakers == {"customer": ["고객"], "agent": ["상담원"]}
    assert "only the utterances of customers count (speakers: 고객)" in notes
    assert "In 1 conversations, no speaker has a known role" in notes
    unknown = figures([{**row, "speaker": row["speaker"] and "가나"} for row in talks])
    notes = " ".join(conversation_notes(unknown, words_of("en")))
    assert "roles of the speakers are unknown" in notes
    assert "--agent-speaker NAME (speakers: 가나)." in notes
    many = figures([{**row, "speaker": f"손{i}"} for i, row in enumerate(talks)])
    assert "--agent-speaker NAME." in " ".join(conversation_notes(many, words_of("en")))
    given = ConversationOptions(customer_speakers=("없는 사람",))
    notes = " ".join(conversation_notes(figures(talks, conversations=given), words_of("en")))
    assert "No utterance has these speakers, which the options name: 없는 사람" in notes


def test_the_apology_of_an_agent_does_not_count(tmp_path):
    rows = [
        utterance(emotion, 0.9, conversation_id="a", speaker=speaker)
        for emotion, speaker in [("일상", "고객"), ("일상", "상담원"), ("기쁨", "고객"), ("불안", "상담원")]
    ]
    archive = open_labelled(write_archive(tmp_path / "out", rows))
    assert make_figures(archive).archive["soured"] == 0
    swapped = ConversationOptions(customer_speakers=("상담원",), agent_speakers=("고객",))
    assert make_figures(archive, ReportOptions(conversations=swapped)).archive["soured"] == 1


def test_rows_without_a_conversation_are_counted(figures):
    rows = [utterance("기쁨", conversation_id=room) for room in ("a", "", " ", None, "\u3164")]
    made = figures(rows)
    assert (made.archive["conversations"], made.archive["without_conversation"]) == (1, 4)
    assert any("without a conversation ID: 4" in note for note in conversation_notes(made, words_of("en")))


@pytest.mark.parametrize(
    ("speakers", "expected"),
    [
        (["가", "가"], "transitions_caption"),
        ([None, " "], "transitions_caption_without_speakers"),
        (["가", None], "transitions_caption_mixed"),
    ],
)
def test_the_caption_of_transitions_mentions_speakers_only_where_there_are_some(figures, speakers, expected):
    rows = [utterance("기쁨", conversation_id=str(i), speaker=who) for i, who in enumerate(speakers) for _ in range(2)]
    for language in ("en", "ko"):
        words = words_of(language)
        assert transitions_caption(figures(rows), words) == words[expected]


def test_ids_in_two_inputs_are_reported_and_shown_with_their_input(tmp_path):
    rows = [utterance("기쁨", 0.9, conversation_id="1"), utterance("분노", 0.9, conversation_id="1")]
    for number in (0, 1):
        write_part(tmp_path / "out", table_of(rows, labels=DEFAULT_LABELS), number)
    archive = open_labelled(write_run(tmp_path / "out"))
    made = make_figures(archive)
    assert [(row["conversation"], row["input"], len(row["utterances"])) for row in made.to_look_at] == [
        ("1", "0.csv", 2), ("1", "1.csv", 2),
    ]  # fmt: skip
    assert any("in more than one input file: 1" in note for note in conversation_notes(made, words_of("en")))
    joined = make_figures(archive, ReportOptions(conversations=ConversationOptions(conversation_scope="archive")))
    assert joined.archive["conversations"] == 1
    assert not any("input file" in note for note in conversation_notes(joined, words_of("en")))
