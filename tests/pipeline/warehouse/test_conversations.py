"""Conversations: which rows are one conversation, in which order, and which utterances count."""

import datetime
import random
import uuid
from collections.abc import Callable

import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.export import export_database
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.options import ConversationOptions
from tests.archives import table_of, utterance, write_part, write_run

MONDAY = datetime.datetime(2026, 11, 23, 9, 30)
MINUTE = datetime.timedelta(minutes=1)
ROLES = {"conversation_column": "room", "speaker_column": "who", "time_column": "at"}
EMOTIONS = ("일상", "분노", "불안", "슬픔", "기쁨", "우울")


def said(room: object, emotion: str | None, at: object = None, who: str | None = None) -> dict:
    return utterance(emotion, 0.9, room=room, at=at, who=who)


def talk(room: object, emotions: str, start: datetime.datetime = MONDAY, who: str | None = None) -> list[dict]:
    """Return a conversation with an utterance a minute. Each emotion is given by its first letter."""
    names = {name[0]: name for name in EMOTIONS}
    return [said(room, names[one], start + i * MINUTE, who) for i, one in enumerate(emotions)]


@pytest.fixture
def query(tmp_path) -> Callable[..., list[tuple]]:
    """query(sql, *inputs, labels, **options): the result of a query over an archive with these inputs."""

    def result(sql: str, *inputs: list[dict], labels=EMOTIONS, roles=ROLES, **options: object) -> list[tuple]:
        for number, rows in enumerate(inputs):
            write_part(tmp_path / "out", table_of(rows, labels=labels), number)
        archive = open_labelled(write_run(tmp_path / "out", **roles))
        with open_session(archive, conversations=ConversationOptions(**options)) as session:
            return session.relation(sql).fetchall()

    return result


class TestBlank:
    """A blank ID or speaker is none."""

    BLANK = (None, "", " ", "\u3000", "\t\r\n", "\u200b", "\ufeff", "\u2060", "\u00a0", "\u3164", "\u2800", "\x00")

    def test_rows_without_an_id_are_no_conversation(self, query):
        rows = [said(room, emotion) for room in self.BLANK for emotion in ("일상", "분노")]
        rows += talk("a", "일일")
        assert query("SELECT conversation FROM conversations", rows) == [("a",)]
        assert query("SELECT count(*) FROM labelled WHERE conversation_id IS NOT NULL", rows) == [(2,)]
        assert query("FROM soured", rows) == []

    def test_a_missing_number_is_no_conversation(self, query):
        rows = [said(room, emotion) for room in (float("nan"), 7.0) for emotion in ("일상", "분노")]
        assert query("SELECT conversation FROM conversations", rows) == [("7.0",)]

    def test_blank_speakers_are_not_one_speaker(self, query):
        rows = [said("a", emotion, MONDAY + i * MINUTE, who) for i, (emotion, who) in enumerate(
            [("일상", " "), ("기쁨", "가람"), ("분노", "\u3000"), ("일상", "나래"), ("분노", "가람")]
        )]  # fmt: skip
        assert query("SELECT emotion_before, emotion FROM transitions", rows) == [("기쁨", "분노")]
        assert query("SELECT speaker FROM soured", rows) == [("가람",)]
        assert query("SELECT DISTINCT speaker FROM labelled ORDER BY 1 NULLS FIRST", rows) == [
            (None,), ("가람",), ("나래",),
        ]  # fmt: skip


class TestOrder:
    """An utterance without a time keeps its place in the archive."""

    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            ([0, None, 2, 3], [0, 1, 2, 3]),
            ([None, 1, 2, 3], [0, 1, 2, 3]),
            ([0, 1, 2, None], [0, 1, 2, 3]),
            ([0, None, None, 3], [0, 1, 2, 3]),
            ([5, None, 5, 5], [0, 1, 2, 3]),
            ([None, None, None, None], [0, 1, 2, 3]),
            ([4, None, 2, 9], [2, 0, 1, 3]),
            ([9, None, 5, 1], [3, 2, 1, 0]),  # the newest utterance is stored first
        ],
    )
    def test_an_utterance_without_a_time(self, query, times, expected):
        emotions = ["일상", "분노", "불안", "기쁨"]
        rows = [said("a", e, None if t is None else MONDAY + t * MINUTE) for e, t in zip(emotions, times, strict=True)]
        found = query("SELECT emotion FROM turns ORDER BY turn", rows)
        assert [emotion for (emotion,) in found] == [emotions[i] for i in expected]

    def test_the_last_emotion_is_not_that_of_an_utterance_without_a_time(self, query):
        rows = [*talk("a", "일"), said("a", "분노"), *talk("a", "기기", MONDAY + 5 * MINUTE)]
        assert query("SELECT last_emotion FROM conversations", rows) == [("기쁨",)]
        assert query("FROM soured", rows) == []

    def test_the_time_of_the_turn_for_the_worse_is_unknown_if_its_utterance_has_no_time(self, query):
        rows = [*talk("a", "일"), said("a", "분노"), *talk("a", "불", MONDAY + 5 * MINUTE)]
        assert query("SELECT turned_at_turn, turned_at FROM conversations", rows) == [(2, None)]

    def test_a_conversation_in_two_files_keeps_the_place_in_the_own_file(self, query):
        late = talk("a", "기불", MONDAY + 100 * MINUTE)
        early = [said("a", "분노"), *talk("a", "일")]
        found = query("SELECT emotion FROM turns ORDER BY turn", late, early, conversation_scope="archive")
        assert [emotion for (emotion,) in found] == ["분노", "일상", "기쁨", "불안"]


class TestArcs:
    """The course of conversations."""

    def arcs(self, query, talks: list[str]) -> dict[str, list[float]]:
        rows = [row for i, emotions in enumerate(talks) for row in talk(f"r{i}", emotions)]
        found = query("SELECT emotion, share FROM arcs ORDER BY emotion, tenth", rows)
        return {name: [share for emotion, share in found if emotion == name] for name in EMOTIONS}

    def test_a_constant_mood_is_flat_for_all_lengths(self, query):
        chance = random.Random(2)
        talks = [chance.choice("일기분") * n for n in range(3, 40) for _ in range(3)]
        found = self.arcs(query, talks)
        for name in ("일상", "기쁨", "분노"):
            share = sum(talk_[0] == name[0] for talk_ in talks) / len(talks)
            assert found[name] == pytest.approx([share] * 10)

    def test_no_share_depends_on_the_length_if_the_moods_are_random(self, query):
        chance = random.Random(4)
        talks = ["".join(chance.choices("일기분", [5, 3, 2], k=chance.choice([3, 4, 5, 25]))) for _ in range(3000)]
        for name, share in (("일상", 0.5), ("기쁨", 0.3), ("분노", 0.2)):
            assert self.arcs(query, talks)[name] == pytest.approx([share] * 10, abs=0.04)

    @pytest.mark.parametrize("lengths", [(3, 4, 5, 6, 7, 8, 9), (12, 30, 41)])
    def test_a_mood_that_changes_at_the_end_is_shown(self, query, lengths):
        talks = ["기" * (n - 1) + ("분" if i % 20 else "기") for n in lengths for i in range(20)]
        found = self.arcs(query, talks)
        assert found["분노"][9] == pytest.approx(0.95)
        assert found["분노"][:5] == [0.0] * 5

    def test_long_conversations_do_not_outweigh_short_ones(self, query):
        assert self.arcs(query, ["기" * 300, "분분분"])["분노"] == pytest.approx([0.5] * 10)

    def test_conversations_of_two_utterances_are_left_out(self, query):
        assert query("FROM arcs", talk("a", "기분")) == []


class TestExamples:
    """The most and the least certain texts."""

    def test_a_repeated_text_is_one_text(self, query):
        rows = [utterance("기쁨", 0.9805, "감사합니다") for _ in range(100)]
        rows += [utterance("기쁨", 0.9804 - i / 1e5, f"반가워요 {c}") for i, c in enumerate("가나다라마")]
        assert query("SELECT text, times FROM typical", rows, roles={}) == [
            ("감사합니다", 100), *((f"반가워요 {c}", 1) for c in "가나다라"),
        ]  # fmt: skip
        assert [text for (text,) in query("SELECT text FROM uncertain", rows, roles={})] == [
            f"반가워요 {c}" for c in "마라다나가"
        ]

    def test_spaces_and_unicode_normalization_make_no_other_text(self, query):
        texts = ["네 좋아요", " 네  좋아요", "네\u3000좋아요\n", "\u1102\u1166 좋아요"]
        found = query("SELECT text, times FROM typical", [utterance("기쁨", 0.9, one) for one in texts], roles={})
        assert found == [("네 좋아요", 4)]

    def test_equal_confidences_are_in_the_order_of_the_archive(self, query):
        rows = [utterance("기쁨", 0.9, f"좋은 날 {c}") for c in "바마라다나가하"]
        for name in ("typical", "uncertain"):
            assert [t for (t,) in query(f"SELECT text FROM {name}", rows, roles={})] == [
                f"좋은 날 {c}" for c in "바마라다나"
            ]


class TestMeaning:
    """Labels whose meaning is unknown."""

    def test_unknown_labels_are_neither_negative_nor_not_negative(self, query):
        labels = ("배송", "환불", "일상", "분노", "기쁨", "우울")
        rows = [utterance("일상", 0.9, room="a"), utterance("분노", 0.9, room="a")]
        rows = [{**row, "emotion": e} for row, e in zip(rows * 2, ["배송", "분노", "배송", "일상"], strict=True)]
        found = query("SELECT negative, count(*) FROM utterances GROUP BY 1 ORDER BY 1", rows, labels=labels, roles={})
        assert found == [(False, 1), (True, 1), (None, 2)]
        columns = "negative_share, longest_negative_run, turned_at_turn"
        assert query(f"SELECT {columns} FROM conversations", rows, labels=labels) == [(None, None, None)]

    def test_the_user_names_the_negative_labels(self, query):
        rows = talk("a", "일기")
        assert query("SELECT last_emotion FROM soured", rows, negative=("기쁨",)) == [("기쁨",)]
        assert query("SELECT bool_or(negative) FROM utterances", talk("a", "분불"), negative=("기쁨",)) == [(False,)]


class TestScope:
    """Equal conversation IDs in two inputs."""

    DAY = 24 * 60 * MINUTE

    def sizes(self, query, *inputs: list[dict], **options: str) -> list[int]:
        return [n for (n,) in query("SELECT turns FROM conversations ORDER BY 1", *inputs, **options)]

    def test_numbers_that_start_again_are_different_conversations(self, query):
        days = [
            [row for i in range(1, 9) for row in talk(i, "일분", MONDAY + d * self.DAY + 9 * i * MINUTE)]
            for d in (0, 1, 2)
        ]
        assert self.sizes(query, *days) == [2] * 24
        assert self.sizes(query, *days, conversation_scope="archive") == [6] * 8
        found = query("SELECT conversation, input FROM soured WHERE conversation = '1' ORDER BY 2", *days)
        assert found == [("1", "0.csv"), ("1", "1.csv"), ("1", "2.csv")]
        assert query("SELECT count(*) FROM soured", *days) == [(24,)]
        assert query("SELECT count(*) FROM labelled WHERE conversation_id = '1'", *days) == [(6,)]

    def test_numbers_in_files_of_the_same_hours_are_different_conversations(self, query):
        files = [[row for i in range(40) for row in talk(i, "일일", MONDAY + (3 * i + 3 * f) * MINUTE)] for f in (0, 1)]
        assert self.sizes(query, *files) == [2] * 80

    def test_numbers_without_times_are_different_conversations(self, query):
        assert self.sizes(query, [said(1, "일상")] * 2, [said(1, "일상")] * 2) == [2, 2]

    def test_a_conversation_over_midnight_is_one(self, query):
        midnight = datetime.datetime(2026, 11, 24)
        first = [*talk(1, "일일", MONDAY), *talk(2, "일기", midnight - 3 * MINUTE)]
        second = [*talk(2, "기분", midnight + 2 * MINUTE), *talk(1, "일일일", midnight + self.DAY / 2)]
        assert self.sizes(query, first, second) == [2, 3, 4]
        assert self.sizes(query, second, first) == [2, 3, 4]  # the later file may be labelled first
        assert self.sizes(query, first, second, conversation_scope="input") == [2, 2, 2, 3]
        assert query("SELECT conversation, last_emotion FROM soured", first, second) == [("2", "분노")]

    @pytest.mark.parametrize(
        "name",
        [
            lambda chance: str(uuid.UUID(int=chance.getrandbits(128))),
            lambda chance: uuid.UUID(int=chance.getrandbits(128)).hex.upper(),
            lambda chance: f"conv-{chance.getrandbits(96):024x}",
            lambda chance: "".join(chance.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=21)),
            lambda chance: f"{chance.randint(10**17, 10**18)}",
            lambda chance: f"call_202611{chance.randint(10, 28)}_0930{chance.randint(10, 59)}_7",
            lambda chance: f"room{1795393800000 + chance.randint(0, 10**9)}",
        ],
    )
    def test_unique_ids_are_one_conversation_in_all_files(self, query, name):
        chance = random.Random(6)
        ids = [name(chance) for _ in range(12)]
        first, second = ([said(one, "일상", MONDAY + d * self.DAY) for one in ids] for d in (0, 3))
        assert self.sizes(query, first, second) == [2] * 12

    @pytest.mark.parametrize(
        "pattern", ["{:032}", "00000000-0000-0000-0000-{:012}", "conversation_number_{:06}", "session{:020}", "{}"]
    )
    def test_long_counters_are_not_unique(self, query, pattern):
        days = [[said(pattern.format(i), "일상", MONDAY + d * self.DAY) for i in range(1, 30)] for d in (0, 1)]
        assert self.sizes(query, *days) == [1] * 58

    def test_a_date_in_the_id_is_enough_without_times(self, query):
        days = [[said(f"2026-11-23/{i}", "일상") for i in range(9)] for _ in (0, 1)]
        assert self.sizes(query, *days) == [2] * 9

    def test_a_date_in_the_id_is_not_enough_for_files_of_the_same_hours(self, query):
        files = [
            [row for i in range(9) for row in talk(f"20261123-{i}", "일일", MONDAY + 9 * i * MINUTE)] for _ in (0, 1)
        ]
        assert self.sizes(query, *files) == [2] * 18

    @pytest.mark.parametrize("copy", [False, True])
    def test_an_exported_database_has_the_same_conversations(self, tmp_path, query, copy):
        import duckdb

        days = [talk(1, "일분", MONDAY + d * self.DAY) for d in (0, 1)]
        expected = query("SELECT * EXCLUDE talk FROM conversations ORDER BY input", *days)
        file = tmp_path / "x.duckdb"
        export_database(open_labelled(tmp_path / "out"), file, copy)
        with duckdb.connect(str(file), read_only=True) as db:
            assert db.execute("SELECT * EXCLUDE talk FROM conversations ORDER BY input").fetchall() == expected


class TestRoles:
    """Which utterances count."""

    @pytest.mark.parametrize(
        "name", ["고객", "고객 1", "고객님", "[손님]", "CUSTOMER_01", "Client", "user3", "고객A", "홍길동 고객님"]
    )
    def test_usual_names_of_customers(self, query, name):
        assert query("SELECT role FROM speakers", [said("a", "일상", who=name)]) == [("customer",)]

    @pytest.mark.parametrize(
        "name",
        ["상담사", "상담원 2", "상담사님", "상담직원", "agent-07", "CSR", "챗봇", "system", "고객센터", "Call Center",
         "Customer Service", "customer agent", "고객 상담사", "Assistant", "상담사A", "\u1109\u1161\u11bc담사"],
    )  # fmt: skip
    def test_usual_names_of_agents(self, query, name):
        assert query("SELECT role FROM speakers", [said("a", "일상", who=name)]) == [("agent",)]

    @pytest.mark.parametrize("name", ["김하늘", "A", "7", "useful", "고객사랑", "speaker_1", "이상담"])
    def test_other_names_have_no_role(self, query, name):
        assert query("SELECT role FROM speakers", [said("a", "일상", who=name)]) == [(None,)]

    def test_the_apology_of_an_agent_does_not_count(self, query):
        rows = [
            *talk("a", "일기", who="고객"),
            *talk("a", "일불", MONDAY + 9 * MINUTE, who="상담사"),
            *talk("b", "일분", who="고객"),
            *talk("b", "일", MONDAY + 9 * MINUTE, who="챗봇"),
        ]
        assert query("SELECT conversation FROM soured", rows) == [("b",)]
        assert query("SELECT conversation, last_emotion, turned_at_turn FROM conversations ORDER BY 1", rows) == [
            ("a", "기쁨", None), ("b", "분노", 2),
        ]  # fmt: skip
        assert query("SELECT first_emotion, last_emotion FROM endings", rows) == [("일상", "기쁨"), ("일상", "분노")]
        assert query("SELECT emotion_before, emotion FROM transitions", rows) == [("일상", "기쁨"), ("일상", "분노")]

    def test_where_no_customer_is_known_the_utterances_of_agents_do_not_count(self, query):
        rows = [*talk("a", "일분", who="김하늘"), *talk("a", "일일", MONDAY + 9 * MINUTE, who="상담원")]
        rows += [*talk("b", "일일", who="상담원")]
        found = query("SELECT conversation, turns, utterances, last_emotion FROM conversations", rows)
        assert found == [("a", 2, 4, "분노")]

    def test_where_no_role_is_known_all_utterances_count(self, query):
        rows = [*talk("a", "일분", who="갑"), *talk("a", "일일", MONDAY + 9 * MINUTE, who="을")]
        assert query("SELECT turns, last_emotion FROM conversations", rows) == [(4, "일상")]

    def test_the_user_names_the_roles(self, query):
        rows = [*talk("a", "일분", who="갑 "), *talk("a", "일일", MONDAY + 9 * MINUTE, who="고객")]
        options = {"customer_speakers": ("갑",), "agent_speakers": ("고객",)}
        assert query("SELECT speaker, role FROM speakers ORDER BY 1", rows, **options) == [
            ("갑 ", "customer"), ("고객", "agent"),
        ]  # fmt: skip
        assert query("SELECT turns, last_emotion FROM conversations", rows, **options) == [(2, "분노")]

    def test_without_speakers_the_next_utterance_of_the_conversation_follows(self, query):
        assert query("SELECT emotion_before, emotion FROM transitions", talk("a", "일분기")) == [
            ("분노", "기쁨"), ("일상", "분노"),
        ]  # fmt: skip


class TestNumbers:
    """A column such as seq decides the order of utterances whose times tell nothing."""

    @pytest.mark.parametrize("times", [["2026-11-20 10:00"] * 4, ["2026-11-20"] * 4, [None] * 4])
    @pytest.mark.parametrize("convert", [str, int])
    def test_utterances_without_an_order_in_time_are_sorted_by_number(self, query_rows, times, convert):
        numbers, emotions = [10, 3, 2, 1], ["분노", "슬픔", "일상", "기쁨"]
        rows = [
            utterance(emotion, room_id="a", seq=convert(number), created=time)
            for emotion, number, time in zip(emotions, numbers, times, strict=True)
        ]
        assert query_rows(rows, "SELECT emotion FROM turns ORDER BY turn") == [(one,) for one in emotions[::-1]]

    def test_times_come_first_and_other_values_than_numbers_are_ignored(self, query_rows):
        rows = [
            utterance("기쁨", room_id="a", seq=2, created="10:00"),
            utterance("분노", room_id="a", seq=1, created="11:00"),
        ]
        rows = [{**row, "created": f"2026-11-20 {row['created']}"} for row in rows]
        found = query_rows(rows, "SELECT emotion FROM turns ORDER BY turn")
        assert found == [("기쁨",), ("분노",)]
        rows = [utterance("기쁨", room_id="b", seq="T2"), utterance("분노", room_id="b", seq="T1")]
        assert query_rows(rows, "SELECT emotion FROM turns ORDER BY turn") == [("기쁨",), ("분노",)]
