"""The labelled archive in DuckDB: its columns under their own names and under ours, and what the aggregates say."""

import collections
import datetime
import itertools
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.aggregates import AGGREGATES, aggregate, rows_of, store
from emojob.pipeline.warehouse.database import open_database
from emojob.schemas.errors import ColumnError, DataError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import said, table_of, write_archive, write_part, write_run

BAD = {"분노", "불안", "슬픔", "우울"}
MONDAY = datetime.datetime(2026, 11, 23, 9, 30)


@pytest.fixture
def ask(tmp_path):
    """ask(rows, query, **options of the run): the rows of a query over an archive of these rows."""

    def answer(rows: list[dict], query: str, time_zone: str | None = None, **options: object) -> list[tuple]:
        with open_database(open_labelled(write_archive(tmp_path / "out", rows, **options)), time_zone) as db:
            for name in ("hours", "talks", "turns", "conversations", "soured"):
                store(db, name)
            return db.execute(query).fetchall()

    return answer


def talk(
    conversation: str, *emotions: str | None, speaker: str = "고객", start: datetime.datetime = MONDAY
) -> list[dict]:
    """A conversation whose utterances stand a minute apart."""
    return [
        said(emotion, room=conversation, who=speaker, at=start + datetime.timedelta(minutes=i))
        for i, emotion in enumerate(emotions)
    ]


ROLES = {"conversation_column": "room", "speaker_column": "who", "time_column": "at"}


class TestLabelled:
    """The view of the rows themselves."""

    def test_it_has_the_archives_columns_the_labels_and_the_roles(self, ask):
        rows = ask([said("기쁨", room="r1", at=MONDAY)], "DESCRIBE labelled", **ROLES)
        assert [row[0] for row in rows] == [
            "text", "room", "at", "emotion", "confidence", *(f"prob_{label}" for label in DEFAULT_LABELS),
            "emotion_status", "conversation_id", "said_at",
        ]  # fmt: skip

    def test_columns_of_usual_names_are_found_without_being_told(self, ask):
        rows = [said("기쁨", session_id=7, created_at="2026-11-23 09:30:00", 화자="상담원")]
        found = ask(rows, "SELECT conversation_id, said_at, speaker FROM labelled")
        assert found == [("7", MONDAY, "상담원")]

    def test_a_column_that_bears_one_of_the_names_keeps_it(self, ask):
        rows = [said("기쁨", speaker="mine", who="theirs")]
        assert ask(rows, "SELECT speaker, who FROM labelled", speaker_column="who") == [("mine", "theirs")]

    def test_parts_with_other_columns_are_put_together_by_name(self, tmp_path):
        write_part(tmp_path, table_of([said("기쁨", channel="앱")], labels=DEFAULT_LABELS))
        write_part(tmp_path, table_of([said("분노", shop=3)], labels=DEFAULT_LABELS), number=1)
        write_run(tmp_path)
        with open_database(open_labelled(tmp_path)) as db:
            found = db.execute("SELECT emotion, channel, shop FROM labelled ORDER BY ALL").fetchall()
        assert found == [("기쁨", "앱", None), ("분노", None, 3)]

    def test_a_part_without_a_marker_is_not_read(self, tmp_path):
        out = write_archive(tmp_path, [said("기쁨")])
        pq.write_table(table_of([said("분노")], labels=DEFAULT_LABELS), out / "part-00009-000000000000.parquet")
        with open_database(open_labelled(out)) as db:
            assert db.execute("SELECT emotion FROM labelled").fetchall() == [("기쁨",)]

    def test_names_with_quotes_are_names(self, ask):
        rows = [said("기쁨", **{"a'b\"c; DROP VIEW labelled": "여기"})]
        options = {"conversation_column": "a'b\"c; DROP VIEW labelled"}
        assert ask(rows, "SELECT conversation FROM utterances", **options) == [("여기",)]

    def test_a_prefix_is_minded(self, tmp_path):
        with open_database(open_labelled(write_archive(tmp_path, [said("기쁨")], prefix="ai_"))) as db:
            assert db.execute("SELECT ai_emotion FROM labelled").fetchall() == [("기쁨",)]
            assert db.execute("SELECT emotion, status FROM utterances").fetchall() == [("기쁨", "scored")]

    def test_a_damaged_part_is_named(self, tmp_path):
        out = write_archive(tmp_path, [said("기쁨")] * 2000)
        archive = open_labelled(out)
        file = archive.part_files[0].file
        file.write_bytes(b"PAR1" + b"\0" * (file.stat().st_size - 8) + b"PAR1")
        with pytest.raises(DataError, match="cannot be read"), open_database(archive) as db:
            db.execute("SELECT count(emotion), max(text) FROM labelled").fetchall()

    def test_a_column_with_a_name_that_duckdb_needs_is_refused(self, ask):
        with pytest.raises(ColumnError, match="file_row_number"):
            ask([said("기쁨", file_row_number=1)], "SELECT 1")


class TestMoments:
    """Times, whatever they are kept as."""

    @pytest.mark.parametrize(
        "value",
        [
            "2026-11-23 09:30:00", "2026-11-23T09:30:00", "2026-11-23T09:30:00+09:00", "2026-11-23T00:30:00Z",
            "2026-11-23T00:30:00.000+0000", "2026-11-23 09:30", "2026.11.23 09:30", "2026/11/23 09:30:00",
            "26.11.23 09:30", "26-11-23 09:30:00", "26/11/23 9:30",
            "2026. 11. 23. 오전 9:30", "2026년 11월 23일 오전 9:30", "2026년 11월 23일 09:30", " 2026-11-23 09:30 ",
            "20261123093000", "1795393800", "1795393800000", 20261123093000, 1795393800, 1795393800000,
            1795393800000000, 1795393800.0, MONDAY,
            MONDAY.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=9))),
        ],
    )  # fmt: skip
    def test_a_moment_is_read(self, ask, value):
        assert ask([said("기쁨", at=value)], "SELECT said_at FROM labelled", time_column="at") == [(MONDAY,)]

    @pytest.mark.parametrize(
        "value", ["2026-11-23", "20261123", "2026.11.23", "26.11.23", 20261123, datetime.date(2026, 11, 23)]
    )
    def test_a_day_is_read(self, ask, value):
        found = ask([said("기쁨", at=value)], "SELECT said_at FROM labelled", time_column="at")
        assert found == [(datetime.datetime(2026, 11, 23),)]

    @pytest.mark.parametrize("value", ["", "모름", "2026-13-45", "26.13.45", "99:99", None])
    def test_what_is_no_moment_is_null_and_the_row_stays(self, ask, value):
        rows = [said("기쁨", at=value), said("분노", at="2026-11-23")]
        assert len(ask(rows, "FROM labelled WHERE said_at IS NULL", time_column="at")) == 1

    def test_the_wall_clock_is_that_of_the_zone_asked_for(self, ask):
        rows = [said("기쁨", at="2026-11-23T00:30:00Z")]
        found = ask(rows, "SELECT said_at FROM labelled", time_zone="America/New_York", time_column="at")
        assert found == [(datetime.datetime(2026, 11, 22, 19, 30),)]

    @pytest.mark.parametrize("zone", ["Nowhere/Else", "x'; DROP VIEW labelled; --"])
    def test_an_unknown_zone_is_refused(self, ask, zone):
        with pytest.raises(OptionError, match="--time-zone"):
            ask([said("기쁨")], "SELECT 1", time_zone=zone)


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """Some thousand rows of chance conversations, interleaved, with gaps of every kind."""
    chance = random.Random(5)
    rows = []
    for _ in range(3000):
        emotion = chance.choice([*DEFAULT_LABELS, None])
        rows.append(
            said(
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
    """The labelled rows of each conversation in their order: times first, those without one last."""
    found = collections.defaultdict(list)
    for row in rows:
        if row["room"] is not None and row["emotion"]:
            found[row["room"]].append(row)
    return {room: sorted(some, key=lambda one: one["at"] or datetime.datetime.max) for room, some in found.items()}


class TestAggregates:
    """Each says what one row of it is, and its figures are those of a plain count in Python."""

    @pytest.mark.parametrize("name", AGGREGATES)
    def test_each_says_what_a_row_is(self, name):
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


def test_a_conversation_turns_where_it_stays_negative(ask):
    rows = [
        *talk("a", "일상", "분노", "기쁨", "불안", None, "우울"),
        *talk("b", "분노", "분노"),
        *talk("c", "슬픔", "일상"),
    ]
    query = "SELECT conversation, turned_at_turn, turned_at, longest_negative_run FROM conversations ORDER BY ALL"
    assert ask(rows, query, **ROLES) == [
        ("a", 4, MONDAY + datetime.timedelta(minutes=3), 2),
        ("b", None, None, 2),
        ("c", None, None, 1),
    ]


def test_without_roles_there_are_no_conversations_and_no_hours(ask):
    assert ask([said("기쁨"), said(None)], "SELECT count(*) FROM conversations") == [(0,)]


def test_one_file_is_an_archive_too(tmp_path):
    about = b'{"format": 1, "run": {"text_column": "text", "prefix": ""}}'
    table = table_of([said("기쁨"), said("분노")], labels=DEFAULT_LABELS).replace_schema_metadata({b"emojob": about})
    pq.write_table(table, tmp_path / "one.parquet")
    with open_database(open_labelled(tmp_path / "one.parquet")) as db:
        store(db, "hours")
        assert {row["emotion"]: row["rows"] for row in rows_of(db, "emotions")} == {"기쁨": 1, "분노": 1}


def test_a_time_with_the_archives_own_zone_keeps_its_clock(tmp_path):
    at = pa.array([datetime.datetime(2026, 11, 23, 0, 30)], pa.timestamp("us", "Europe/Berlin"))
    table = table_of([said("기쁨")], labels=DEFAULT_LABELS).append_column("at", at)
    write_part(tmp_path, table)
    with open_database(open_labelled(write_run(tmp_path, time_column="at"))) as db:
        assert db.execute("SELECT said_at FROM labelled").fetchall() == [(datetime.datetime(2026, 11, 23, 1, 30),)]
