"""Previous utterances come from the same conversation, in the order of rows or of a time column."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.schemas.errors import ColumnError
from emojob.training.data.corpus import CorpusOptions, read_corpus

PREVIOUS = CorpusOptions(context="previous")

CHAT = (
    "conversation_id,time,text,label\n"
    "가,3,늦어서 미안,슬픔\n나,1,안녕,일상\n가,2,괜찮아,일상\n나,2,,일상\n가,1,정말이지,분노\n"
    "나,3,잘 가,슬픔\n,4,혼잣말,우울\n"
)


def test_the_previous_utterance_is_from_the_same_conversation(written):
    corpus = read_corpus([written("chat.csv", CHAT)], PREVIOUS)
    # a blank utterance is no previous utterance, and has none
    assert corpus.previous == [None, None, "늦어서 미안", None, "괜찮아", "안녕", None]
    assert corpus.conversations == ["가", "나", "가", "나", "가", "나", None]


def test_the_time_column_gives_the_order(written):
    options = CorpusOptions(context="previous", time_column="time")
    corpus = read_corpus([written("chat.csv", CHAT.replace(",3,늦", ",10,늦"))], options)
    assert corpus.previous == ["괜찮아", None, "정말이지", None, None, "안녕", None]


def test_times_may_be_texts_or_timestamps_and_a_row_without_a_time_stays_between_its_neighbours(tmp_path, written):
    dated = "room,time,text,label\n1,2026-10-05 12:00,나중,기쁨\n1,,언젠가,기쁨\n1,2026-10-05 09:00,먼저,기쁨\n"
    options = CorpusOptions(context="previous", conversation_column="room", time_column="time")
    assert read_corpus([written("a.csv", dated)], options).previous == ["언젠가", "먼저", None]
    times = pa.array([20, None, 10], pa.timestamp("s"))
    table = pa.table({"room": [1, 1, 1], "time": times, "text": ["나중", "언젠가", "먼저"], "label": ["기쁨"] * 3})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_corpus([tmp_path / "a.parquet"], options).previous == ["언젠가", "먼저", None]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1, None, 3, 4], [0, 1, 2, 3]),
        ([None, 1, 3, 4], [0, 1, 2, 3]),
        ([1, 3, 4, None], [0, 1, 2, 3]),
        ([2, None, 2, 2], [0, 1, 2, 3]),
        ([9, None, 5, 1], [3, 2, 1, 0]),  # the newest row is stored first
    ],
)
def test_a_row_without_a_time_keeps_its_place(written, times, expected):
    rows = "".join(f"1,{'' if time is None else time},말 {i},기쁨\n" for i, time in enumerate(times))
    options = CorpusOptions(context="previous", conversation_column="room", time_column="time")
    found = read_corpus([written("a.csv", f"room,time,text,label\n{rows}")], options).previous
    order = [f"말 {i}" for i in expected]
    assert found == [order[expected.index(i) - 1] if expected.index(i) else None for i in range(4)]


@pytest.mark.parametrize(
    "times",
    [
        ("오전 9:58", "오전 10:01", "오후 1:00"),
        ("9:58 AM", "10:01 AM", "1:00 PM"),
        ("23:00:00 +1400", "09:58:00 UTC", "23:00:00 -0500"),
    ],
)
def test_times_are_compared_as_times_and_not_as_texts(written, times):
    first, second, third = (f"2026-11-23 {time}" for time in times)
    table = f"room,time,text,label\n1,{third},셋째,기쁨\n1,{first},첫째,기쁨\n1,{second},둘째,기쁨\n"
    options = CorpusOptions(context="previous", conversation_column="room", time_column="time")
    assert read_corpus([written("a.csv", table)], options).previous == ["둘째", None, "첫째"]


def test_the_order_of_day_and_month_is_that_of_the_report(written):
    table = "room,time,text,label\n1,{},나중,기쁨\n1,{},먼저,기쁨\n"
    options = CorpusOptions(context="previous", conversation_column="room", time_column="time")
    decided = written("a.csv", table.format("13/04/2026", "05/11/2025"))
    assert read_corpus([decided], options).previous == ["먼저", None]
    opened = written("b.csv", table.format("01/04/2026", "02/03/2026"))
    with pytest.raises(ColumnError, match="--date-order") as refusal:
        read_corpus([opened], options)
    assert "\n" not in str(refusal.value)
    assert "01/04" not in str(refusal.value)
    for order, previous in (("dmy", ["먼저", None]), ("mdy", [None, "나중"])):
        assert read_corpus([opened], replace(options, date_order=order)).previous == previous


def test_digits_that_may_be_dates_in_an_unknown_order_are_not_sorted_as_numbers(written):
    rows = [f"1,{day:02d}{month:02d}2026,말 {day},기쁨\n" for day in range(13, 29) for month in (3, 4)]
    table = "room,time,text,label\n" + "".join(rows)
    options = CorpusOptions(context="previous", conversation_column="room", time_column="time")
    with pytest.raises(ColumnError, match=r"several meanings.*YYYY-MM-DD"):
        read_corpus([written("a.csv", table)], options)


def test_values_that_are_not_times_are_counted_and_their_rows_stay_in_place(written):
    times = ("10:00,셋째", "", "9:00,첫째", "", "11:00,다섯째", "12:00,여섯째")
    rows = [f"2026-11-23 {time}" for time in times]
    rows[1], rows[3] = "언젠가,넷째", "2026-02-30,둘째"
    table = "room,time,text,label\n" + "".join(f"1,{row},기쁨\n" for row in rows)
    corpus = read_corpus(
        [written("a.csv", table)], CorpusOptions(context="previous", conversation_column="room", time_column="time")
    )
    assert corpus.previous == ["둘째", "셋째", None, "첫째", "넷째", "다섯째"]
    (note,) = corpus.notes
    assert "a.csv: 2 values of the column time are not times, so these times stay empty" in note


def test_the_text_column_cannot_identify_conversations(written):
    options = CorpusOptions(context="previous", conversation_column="text")
    with pytest.raises(ColumnError, match="--conversation-column text is the text column"):
        read_corpus([written("d.csv", "text,label\n네,기쁨\n")], options)


def test_conversations_are_read_without_context_too(written):
    corpus = read_corpus([written("chat.csv", CHAT)])
    assert corpus.conversations[:2] == ["가", "나"]
    assert corpus.previous == [None] * 7


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.csv", "text,label\n가,기쁨\n", "--conversation-column"),
        ("a.csv", "text,label,room_id,session_id\n가,기쁨,1,2\n", r"conversation IDs \(room_id, session_id\)"),
        ("a.tsv", "1\t가\t3,4\n", "has no conversations"),
    ],
)
def test_context_without_conversations_is_refused(written, name, text, complaint):
    with pytest.raises(ColumnError, match=complaint) as refusal:
        read_corpus([written(name, text)], PREVIOUS)
    assert "\n" not in str(refusal.value)
    read_corpus([written(name, text)])


def test_a_missing_time_column_is_refused(written):
    with pytest.raises(ColumnError, match="no column 'when'"):
        read_corpus([written("a.csv", CHAT)], CorpusOptions(context="previous", time_column="when"))
