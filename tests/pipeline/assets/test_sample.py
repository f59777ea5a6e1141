"""The sample dataset of the package has what the demo and its card promise."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta
from importlib.resources import as_file, files
from itertools import groupby, pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FIRST_DAY = date(2026, 10, 5)
STRIKE = (date(2026, 10, 13), date(2026, 10, 14))
EMOJI = re.compile("[\U0001f300-\U0001faff]")

Conversations = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def sample() -> pa.Table:
    with as_file(files("emojob.pipeline.assets") / "sample" / "shop_chat.parquet") as path:
        return pq.read_table(path)


@pytest.fixture(scope="module")
def conversations(sample: pa.Table) -> Conversations:
    """Return the rows of each conversation in file order. A conversation in two places of the file is a failure."""
    grouped: Conversations = {}
    for name, rows in groupby(sample.to_pylist(), key=lambda row: row["conversation_id"]):
        assert name not in grouped, f"{name} stands in two places"
        grouped[name] = list(rows)
    return grouped


@pytest.fixture(scope="module")
def texts(sample: pa.Table) -> list[str | None]:
    return sample["text"].to_pylist()


def starts(conversations: Conversations) -> list[datetime]:
    return [rows[0]["sent_at"] for rows in conversations.values()]


def test_columns_and_types_are_those_of_the_card(sample: pa.Table) -> None:
    assert dict(zip(sample.schema.names, sample.schema.types, strict=True)) == {
        "conversation_id": pa.string(),
        "turn": pa.int32(),
        "speaker": pa.string(),
        "channel": pa.string(),
        "sent_at": pa.timestamp("ms"),  # Parquet has no unit of seconds
        "text": pa.string(),
    }


def test_file_is_zstd_with_dictionaries_and_without_pandas_metadata() -> None:
    with as_file(files("emojob.pipeline.assets") / "sample" / "shop_chat.parquet") as path:
        metadata = pq.read_metadata(path)
    group = metadata.row_group(0)
    columns = [group.column(index) for index in range(metadata.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    assert all(column.has_dictionary_page for column in columns)
    assert b"pandas" not in (metadata.metadata or {})


def test_is_large_enough_for_a_demonstration(sample: pa.Table, conversations: Conversations) -> None:
    assert len(conversations) >= 60
    assert sample.num_rows >= 600
    assert all(4 <= len(rows) <= 24 for rows in conversations.values())


def test_card_states_the_counts_of_the_file(
    sample: pa.Table, conversations: Conversations, texts: list[str | None]
) -> None:
    card = (files("emojob.pipeline.assets") / "sample" / "README.md").read_text(encoding="utf-8")
    turns = [len(rows) for rows in conversations.values()]
    nulls, blanks = texts.count(None), sum(text is not None and not text.strip() for text in texts)
    filled = sample.num_rows - nulls - blanks
    assert f"| {len(conversations)}, with {min(turns)} to {max(turns)} utterances each |" in card
    assert f"| {sample.num_rows}: {filled} with text, {nulls} null, {blanks} blank |" in card


def test_every_one_of_the_fourteen_days_has_conversations(sample: pa.Table, conversations: Conversations) -> None:
    fourteen_days = {FIRST_DAY + timedelta(days=day) for day in range(14)}
    assert {start.date() for start in starts(conversations)} == fourteen_days
    assert {sent_at.date() for sent_at in sample["sent_at"].to_pylist()} == fourteen_days


def test_days_of_the_strike_are_the_busiest(conversations: Conversations) -> None:
    by_day = Counter(start.date() for start in starts(conversations))
    assert min(by_day[day] for day in STRIKE) > max(count for day, count in by_day.items() if day not in STRIKE)


def test_conversations_follow_each_other_by_number_and_start(conversations: Conversations) -> None:
    assert list(conversations) == [f"C{number:04d}" for number in range(1, len(conversations) + 1)]
    assert starts(conversations) == sorted(starts(conversations))


def test_turns_count_from_one_and_time_goes_forward(conversations: Conversations) -> None:
    for name, rows in conversations.items():
        assert [row["turn"] for row in rows] == list(range(1, len(rows) + 1)), name
        assert all(before["sent_at"] < after["sent_at"] for before, after in pairwise(rows)), name


def test_only_the_text_may_be_missing(sample: pa.Table) -> None:
    assert {name for name in sample.schema.names if sample[name].null_count} == {"text"}
    assert set(sample["speaker"].to_pylist()) == {"고객", "상담원", "챗봇"}
    assert set(sample["channel"].to_pylist()) == {"앱", "웹", "카카오톡", "전화채팅"}


def test_every_conversation_has_a_customer_and_somebody_who_answers(conversations: Conversations) -> None:
    for name, rows in conversations.items():
        speakers = {row["speaker"] for row in rows}
        assert "고객" in speakers, name
        assert len(speakers) > 1, name


def test_shows_repeats_nulls_blanks_emoji_and_long_messages(texts: list[str | None]) -> None:
    seen = Counter(texts)
    assert seen["네"] >= 10
    assert seen["감사합니다"] >= 5
    assert seen["잠시만요."] >= 5
    assert seen[None] >= 8
    assert seen[""] >= 1
    assert sum(text is not None and text.isspace() for text in texts) >= 3
    assert sum(bool(text and EMOJI.search(text)) for text in texts) >= 20
    assert any(text and "\n" in text for text in texts)
    assert max(len(text or "") for text in texts) > 150  # characters; enough to go past 64 tokens
