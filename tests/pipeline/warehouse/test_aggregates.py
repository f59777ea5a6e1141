"""The aggregates: each gives the same figures as a plain count in Python."""

import collections
import datetime
import itertools
import random
from fractions import Fraction

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
    for number in range(3000):
        emotion = chance.choice([*DEFAULT_LABELS, None])
        rows.append(
            utterance(
                emotion,
                chance.choice([0.3, 0.45, 0.65, 0.9]),
                "가" * chance.randint(1, 300),
                room=chance.choice([None, "", "\u3000 ", *(f"r{i}" for i in range(200))]),
                who=chance.choice([None, " ", "고객", "상담원"]),
                at=chance.choice([None, MONDAY + datetime.timedelta(minutes=7 * number + chance.randint(0, 2000))]),
            )
        )
    return rows


@pytest.fixture(scope="module")
def db(rows, tmp_path_factory):
    out = write_archive(tmp_path_factory.mktemp("archive"), rows, **ROLES)
    with open_database(open_labelled(out)) as db:
        for name in ("hours", "label_hours", "extremes", "talks", "turns", "conversations", "soured"):
            store(db, name)
        yield db


def in_order(rows: list[dict]) -> list[dict]:
    """Return the rows of a conversation by time. A row without a time stays behind the row before it."""
    rising = [
        a["at"] < b["at"] for a, b in itertools.pairwise([row for row in rows if row["at"]]) if a["at"] != b["at"]
    ]
    assert sum(rising) * 2 >= len(rising), "this test expects conversations that are stored with the oldest row first"
    filled, last = [], None
    for row in rows:
        last = row["at"] or last
        filled.append(last)
    first = next((at for at in filled if at), datetime.datetime.min)
    order = sorted(range(len(rows)), key=lambda i: (filled[i] or first, i))
    return [rows[i] for i in order]


@pytest.fixture(scope="module")
def talks(rows) -> dict[str, list[dict]]:
    """The labelled rows of each conversation, in order."""
    found = collections.defaultdict(list)
    for row in rows:
        if row["room"] is not None and row["room"].strip():
            found[row["room"]].append(row)
    labelled = {room: [row for row in in_order(some) if row["emotion"]] for room, some in found.items()}
    return {room: some for room, some in labelled.items() if some}


@pytest.fixture(scope="module")
def counted(talks) -> dict[str, list[dict]]:
    """The rows that count: those of customers, else those that are not from agents, else all."""
    found = {}
    for room, some in talks.items():
        roles = {"고객": "customer", "상담원": "agent"}
        present = {roles.get(row["who"]) for row in some}
        if "customer" in present:
            some = [row for row in some if roles.get(row["who"]) == "customer"]
        elif "agent" in present:
            some = [row for row in some if roles.get(row["who"]) != "agent"]
        if some:
            found[room] = some
    return found


def by_speaker(rows: list[dict]) -> list[list[dict]]:
    """Return the rows of each speaker; all rows if no row has a speaker."""
    names = {row["who"] for row in rows if row["who"] and row["who"].strip()}
    return [[row for row in rows if row["who"] == name] for name in names] if names else [rows]


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

    def test_transitions(self, db, counted):
        counts: collections.Counter = collections.Counter()
        for talk_ in counted.values():
            for own in by_speaker(talk_):
                counts.update(itertools.pairwise(row["emotion"] for row in own))
        found = rows_of(db, "transitions")
        assert {(row["emotion_before"], row["emotion"]): row["times"] for row in found} == counts
        assert sum(row["share"] for row in found) == pytest.approx(len({before for before, _ in counts}))

    def test_conversations(self, db, talks, counted):
        found = {row["conversation"]: row for row in rows_of(db, "conversations")}
        emotions_of = collections.defaultdict(list)
        for row in rows_of(db, "conversation_emotions"):
            emotions_of[row["conversation"]].append(row)
        assert found.keys() == counted.keys()
        for room, talk_ in counted.items():
            emotions, row = [one["emotion"] for one in talk_], found[room]
            assert (row["input"], row["utterances"]) == ("0.csv", len(talks[room]))
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

    def test_soured(self, db, counted):
        expected = set()
        for room, talk_ in counted.items():
            for own in by_speaker(talk_):
                ended = own[-1]["emotion"] in {"분노", "불안", "우울"} and max(own[-1]["probabilities"]) >= 0.6
                if ended and own[0]["emotion"] not in BAD:
                    expected.add((room, own[0]["who"]))
        found = db.execute("SELECT conversation, speaker FROM soured").fetchall()
        assert set(found) == expected
        assert len(found) == len(expected) > 0

    def test_arcs(self, db, counted):
        """Each conversation has the weight 1 at each of ten positions, divided between the two nearest utterances."""
        weights: collections.Counter = collections.Counter()
        long = [[row["emotion"] for row in talk_] for talk_ in counted.values() if len(talk_) >= 3]
        for emotions in long:
            for tenth in range(10):
                place = Fraction(tenth * (len(emotions) - 1), 9)
                before = int(place)
                weights[tenth, emotions[before]] += 1 - (place - before)
                if place > before:
                    weights[tenth, emotions[before + 1]] += place - before
        found = {(row["tenth"], row["emotion"]): row for row in rows_of(db, "arcs")}
        assert found.keys() == set(itertools.product(range(10), DEFAULT_LABELS))
        for key, row in found.items():
            assert row["conversations"] == pytest.approx(float(weights[key]))
            assert row["share"] == pytest.approx(float(weights[key] / len(long)))

    def test_typical_and_uncertain(self, db, rows):
        for name, best in (("typical", max), ("uncertain", min)):
            texts: dict[tuple[str, str], list[dict]] = collections.defaultdict(list)
            for row in rows:
                if row["emotion"] and 2 <= len(row["text"]) <= 200:
                    texts[row["emotion"], row["text"]].append(row)
            for emotion in DEFAULT_LABELS:
                own = [
                    (best(max(row["probabilities"]) for row in some), text, len(some))
                    for (label, text), some in texts.items()
                    if label == emotion
                ]
                found = [row for row in rows_of(db, name) if row["emotion"] == emotion]
                limits = sorted((one[0] for one in own), reverse=best is max)[:5]
                assert [row["confidence"] for row in found] == pytest.approx(limits)
                assert {(row["text"], row["times"]) for row in found} <= {one[1:] for one in own}
                assert len({row["text"] for row in found}) == 5


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
