"""The aggregates: each gives the same figures as a plain count in Python."""

import collections
import datetime
import itertools
import random

import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.aggregates import AGGREGATES, aggregate, rows_of, store
from emojob.pipeline.warehouse.database import open_database
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import utterance, write_archive

BAD = {"분노", "불안", "슬픔", "우울"}
MONDAY = datetime.datetime(2026, 11, 23, 9, 30)
ROLES = {"conversation_column": "room", "speaker_column": "who", "time_column": "at"}


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """3,000 random rows of interleaved conversations, with missing values of every kind."""
    chance = random.Random(5)
    rows = []
    for _ in range(3000):
        emotion = chance.choice([*DEFAULT_LABELS, None])
        rows.append(
            utterance(
                emotion,
                chance.choice([0.3, 0.45, 0.65, 0.9]),
                "가" * chance.randint(1, 300),
                room=chance.choice([None, *(f"r{i}" for i in range(200))]),
                who=chance.choice([None, "고객", "상담원"]),
                at=chance.choice([None, MONDAY + datetime.timedelta(minutes=chance.randint(0, 20_000))]),
            )
        )
    return rows


@pytest.fixture(scope="module")
def db(rows, tmp_path_factory):
    out = write_archive(tmp_path_factory.mktemp("archive"), rows, **ROLES)
    with open_database(open_labelled(out)) as db:
        for name in ("hours", "talks", "turns", "conversations", "soured"):
            store(db, name)
        yield db


@pytest.fixture(scope="module")
def talks(rows) -> dict[str, list[dict]]:
    """The labelled rows of each conversation, sorted by time; rows without a time come last."""
    found = collections.defaultdict(list)
    for row in rows:
        if row["room"] is not None and row["emotion"]:
            found[row["room"]].append(row)
    return {room: sorted(some, key=lambda one: one["at"] or datetime.datetime.max) for room, some in found.items()}


class TestAggregates:
    """Each aggregate, compared with a count in Python."""

    @pytest.mark.parametrize("name", AGGREGATES)
    def test_the_comment_says_what_one_row_is(self, name):
        assert aggregate(name)[1].startswith("One row: ")

    def test_emotions(self, db, rows):
        counts = collections.Counter(row["emotion"] for row in rows if row["emotion"])
        found = {row["emotion"]: row for row in rows_of(db, "emotions")}
        assert {name: row["rows"] for name, row in found.items()} == counts
        assert sum(row["share"] for row in found.values()) == pytest.approx(1)
        means = [max(row["probabilities"]) for row in rows if row["emotion"] == "기쁨"]
        assert found["기쁨"]["mean_confidence"] == pytest.approx(sum(means) / len(means))

    def test_days_and_hours(self, db, rows):
        timed = [row for row in rows if row["emotion"] and row["at"]]
        for name, keys, key in (
            ("days", ("day",), lambda at: (at.date(),)),
            ("hours_of_day", ("hour_of_day",), lambda at: (at.hour,)),
            ("hours_of_week", ("weekday", "hour_of_day"), lambda at: (at.isoweekday(), at.hour)),
        ):
            counts = collections.Counter((*key(row["at"]), row["emotion"]) for row in timed)
            totals = collections.Counter(key(row["at"]) for row in timed)
            found = rows_of(db, name)
            assert {(*(row[k] for k in keys), row["emotion"]): row["rows"] for row in found} == counts
            assert all(row["share"] == row["rows"] / totals[tuple(row[k] for k in keys)] for row in found)

    def test_quality(self, db, rows):
        found = {row["day"]: row for row in rows_of(db, "quality")}
        nowhere = [row for row in rows if row["at"] is None]
        assert (found[None]["rows"], found[None]["empty"]) == (len(nowhere), sum(not row["emotion"] for row in nowhere))
        assert sum(row["rows"] for row in found.values()) == len(rows)
        unsure = sum(bool(row["emotion"]) and max(row["probabilities"]) < 0.5 for row in rows)
        assert sum(row["unsure"] for row in found.values()) == unsure

    def test_distributions(self, db, rows):
        lengths = collections.Counter((r["emotion"], min(len(r["text"]) // 10 * 10, 200)) for r in rows if r["emotion"])
        assert {(r["emotion"], r["characters"]): r["rows"] for r in rows_of(db, "lengths")} == lengths
        sure = {round(r["confidence"], 2): r["rows"] for r in rows_of(db, "confidences") if r["emotion"] == "기쁨"}
        assert sure == collections.Counter(max(r["probabilities"]) for r in rows if r["emotion"] == "기쁨")

    def test_transitions(self, db, talks):
        counts: collections.Counter = collections.Counter()
        for talk_ in talks.values():
            for who in (None, "고객", "상담원"):
                emotions = [row["emotion"] for row in talk_ if row["who"] == who]
                counts.update(itertools.pairwise(emotions))
        found = rows_of(db, "transitions")
        assert {(row["emotion_before"], row["emotion"]): row["times"] for row in found} == counts
        assert sum(row["share"] for row in found) == pytest.approx(len({before for before, _ in counts}))

    def test_conversations(self, db, talks):
        found = {row["conversation"]: row for row in rows_of(db, "conversations")}
        emotions_of = collections.defaultdict(list)
        for row in rows_of(db, "conversation_emotions"):
            emotions_of[row["conversation"]].append(row)
        assert found.keys() == talks.keys()
        for room, talk_ in talks.items():
            emotions, row = [one["emotion"] for one in talk_], found[room]
            assert (row["turns"], row["first_emotion"], row["last_emotion"]) == (
                len(emotions), emotions[0], emotions[-1],
            )  # fmt: skip
            runs = [(bad, len(list(some))) for bad, some in itertools.groupby(emotions, BAD.__contains__)]
            assert row["longest_negative_run"] == max([n for bad, n in runs if bad], default=0)
            turned = len(emotions) - runs[-1][1] + 1 if runs[-1][0] and len(runs) > 1 else None
            assert row["turned_at_turn"] == turned
            assert row["negative_share"] == pytest.approx(sum(e in BAD for e in emotions) / len(emotions))
            shares = {one["emotion"]: one["share"] for one in emotions_of[room]}
            assert shares == pytest.approx({e: emotions.count(e) / len(emotions) for e in set(emotions)})

    def test_soured(self, db, talks):
        expected = set()
        for room, talk_ in talks.items():
            for who in (None, "고객", "상담원"):
                own = [row for row in talk_ if row["who"] == who]
                ended = own and own[-1]["emotion"] in {"분노", "불안", "우울"} and max(own[-1]["probabilities"]) >= 0.6
                if ended and own[0]["emotion"] not in BAD:
                    expected.add((room, who))
        found = db.execute("SELECT conversation, speaker FROM soured").fetchall()
        assert set(found) == expected
        assert len(found) == len(expected) > 0


def talk(
    conversation: str, *emotions: str | None, speaker: str = "고객", start: datetime.datetime = MONDAY
) -> list[dict]:
    """Return a conversation with one utterance a minute."""
    return [
        utterance(emotion, room=conversation, who=speaker, at=start + datetime.timedelta(minutes=i))
        for i, emotion in enumerate(emotions)
    ]


def test_turned_at_turn_is_where_the_last_negative_run_begins(query_rows):
    rows = [
        *talk("a", "일상", "분노", "기쁨", "불안", None, "우울"),
        *talk("b", "분노", "분노"),
        *talk("c", "슬픔", "일상"),
    ]
    query = "SELECT conversation, turned_at_turn, turned_at, longest_negative_run FROM conversations ORDER BY ALL"
    assert query_rows(rows, query, **ROLES) == [
        ("a", 4, MONDAY + datetime.timedelta(minutes=3), 2),
        ("b", None, None, 2),
        ("c", None, None, 1),
    ]


def test_an_archive_without_conversations_has_empty_aggregates(query_rows):
    assert query_rows([utterance("기쁨"), utterance(None)], "SELECT count(*) FROM conversations") == [(0,)]
