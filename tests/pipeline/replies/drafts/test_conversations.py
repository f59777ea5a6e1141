"""Which conversations get drafts, and which of their turns are read."""

import pyarrow as pa
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.replies.drafts.choosing import Selection
from emojob.pipeline.replies.drafts.conversations import Turn, open_conversations
from emojob.pipeline.replies.drafts.roles import Roles
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import InputError, OptionError
from emojob.schemas.options import ConversationOptions
from tests.archives import LABELS, row, table_of, utterance, write_archive, write_part, write_run
from tests.pipeline.replies.drafts.bots import stays_good, turned_bad


@pytest.fixture
def read(tmp_path):
    """read(rows, where, ...): the conversations of an archive with these rows."""

    def read(rows, where=None, conversations=None, **options):
        out = write_archive(tmp_path / "out", rows, **options)
        selection = Selection(where, conversations or ConversationOptions())
        with open_conversations(open_labelled(out), selection) as found:
            return list(found.after(0))

    return read


def test_the_conversations_are_all_of_the_reports_list_in_its_order(tmp_path):
    rows = [one for day in range(15) for one in turned_bad(f"c{day}", "왜 안 와요", 1440 * (day % 3) + day)]
    archive = open_labelled(write_archive(tmp_path / "out", [*rows, *stays_good("good")]))
    with open_session(archive) as session:
        soured = session.query("SELECT conversation FROM soured ORDER BY ended_at::DATE DESC, last_confidence DESC, 1")
        wanted = [name for batch in soured.batches for name in batch.column(0).to_pylist()]
    with open_conversations(archive, Selection()) as found:
        assert found.count == len(wanted) == 15
        assert [one.conversation_id for one in found.after(0)] == wanted
        assert [one.conversation_id for one in found.after(12)] == wanted[12:]


def test_the_last_utterance_of_the_customer_is_answered_even_after_an_agent_spoke(read):
    late = utterance(
        "일상", 0.9, "확인하겠습니다", conversation_id="a", speaker="상담사", sent_at="2026-11-24 10:00:00"
    )
    (one,) = read([*turned_bad("a", "왜 안 와요"), late])
    assert (one.text, one.turn, one.emotion, str(one.said_at)) == ("왜 안 와요", 3, "분노", "2026-11-24 00:00:02")
    assert one.before == (Turn("customer", "안녕하세요", "기쁨"), Turn("agent", "무엇을 도와드릴까요", "일상"))
    assert one.after == (Turn("agent", "확인하겠습니다", "일상"),)


def angry(conversation, last="왜 안 와요", confidence=0.8):
    """Return the rows of a conversation in which the customer is angry from the start."""
    said = [("아직도 안 왔어요", 0.9), (last, confidence)]
    return [
        utterance("분노", p, text, conversation_id=conversation, speaker="고객", sent_at=f"2026-11-20 00:00:0{n}")
        for n, (text, p) in enumerate(said)
    ]


def test_a_conversation_that_ends_in_a_negative_emotion_is_looked_at(read):
    found = read(
        [*angry("angry"), *angry("unsure", confidence=0.5), *stays_good("good"), *turned_bad("bad", "환불해요")]
    )
    assert [one.conversation_id for one in found] == ["bad", "angry"]


def test_a_conversation_in_which_a_customer_speaks_of_suicide_comes_first(read):
    said = utterance(
        "일상", 0.9, "이제 죽고 싶어요", conversation_id="c", speaker="고객", sent_at="2026-11-01 00:00:00"
    )
    reply = utterance("기쁨", 0.9, "감사합니다", conversation_id="c", speaker="고객", sent_at="2026-11-01 00:00:01")
    agent = {**said, "conversation_id": "agent", "speaker": "상담사"}
    found = read([*turned_bad("bad", "환불해요"), said, reply, *stays_good("agent"), agent])
    assert [(one.conversation_id, one.is_crisis) for one in found] == [("c", True), ("bad", False)]


def test_at_most_three_turns_after_are_read(read):
    later = [
        utterance("일상", 0.9, f"{n}", conversation_id="a", speaker="상담사", sent_at=f"2026-11-24 1{n}:00:00")
        for n in range(5)
    ]
    (one,) = read([*turned_bad("a", "왜 안 와요"), *later])
    assert [turn.text for turn in one.after] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("names", "given", "said"),
    [
        ({}, {}, []),
        ({"고객": "K"}, {}, []),
        ({"고객": "K", "상담사": "S"}, {"customer_speakers": ("K",)}, []),
        ({"고객": "K", "상담사": "S"}, {}, ["In 1 of 1 conversations, the roles of the speakers are unknown"]),
        ({"고객": None, "상담사": None}, {}, ["In 1 of 1 conversations, the speakers are unknown"]),
        ({}, {"customer_speakers": ("none",)}, ["No utterance has these speakers, which the options name: none."]),
    ],
)
def test_what_is_unknown_about_the_speakers_is_said(tmp_path, names, given, said):
    rows = [{**one, "speaker": names.get(one["speaker"], one["speaker"])} for one in turned_bad("a", "왜 안 와요")]
    archive = open_labelled(write_archive(tmp_path / "out", rows))
    with open_conversations(archive, Selection("true", ConversationOptions(**given))) as found:
        sentences = found.roles.sentences("en")
    assert len(sentences) == len(said)
    assert all(sentence.startswith(start) for sentence, start in zip(sentences, said, strict=True))


def test_the_speakers_without_a_role_are_named():
    roles = Roles(5, unknown=2, speakers=("GM", "player"))
    assert "(speakers: GM, player)" in roles.sentences("en")[0]
    assert "(화자: " in roles.sentences("ko")[0]


def test_at_most_six_turns_before_are_read(read):
    turns = [
        utterance("일상", 0.9, f"{n}", conversation_id="a", speaker="고객", sent_at=f"2026-11-24 0{n}:00")
        for n in range(9)
    ]
    (one,) = read(turns, "text = '2'")
    assert (one.turn, one.text, [turn.text for turn in one.before]) == (9, "8", ["2", "3", "4", "5", "6", "7"])


def test_where_chooses_the_conversations_with_a_matching_utterance(read):
    rows = [*turned_bad("a", "왜 안 와요"), *stays_good("b"), *stays_good("c")]
    found = read(rows, "emotion = '기쁨' AND conversation_id <> 'a'")
    assert [(one.conversation_id, one.text) for one in found] == [("b", "정말 감사합니다"), ("c", "정말 감사합니다")]


def test_without_conversations_each_matching_utterance_stands_alone(read):
    rows = [
        utterance("분노", 0.8, "왜 안 와요", speaker="고객"),
        utterance("일상", 0.8, "네", speaker="고객"),
        utterance("분노", 0.8, "고객님 진정하세요", speaker="상담사"),
        utterance("분노", 0.8, "환불해 주세요", speaker="고객"),
    ]
    found = read(rows, "emotion = '분노'")
    assert [(one.conversation_id, one.turn, one.text) for one in found] == [
        (None, 1, "왜 안 와요"),
        (None, 4, "환불해 주세요"),  # the number of the row
    ]
    assert found[0].before == ()


def test_conversations_in_which_no_customer_speaks_are_counted(tmp_path):
    rows = [*stays_good("a"), utterance("기쁨", 0.9, "감사합니다", conversation_id="b", speaker="상담사", sent_at="")]
    archive = open_labelled(write_archive(tmp_path / "out", rows))
    with open_conversations(archive, Selection("emotion = '기쁨'")) as found:
        assert (found.count, found.unanswerable) == (1, 1)
        assert [one.conversation_id for one in found.after(0)] == ["a"]


def test_the_names_of_customers_can_be_given(read):
    rows = [{**one, "speaker": {"고객": "K", "상담사": "S"}[one["speaker"]]} for one in turned_bad("a", "왜 안 와요")]
    late = {**rows[1], "text": "확인하겠습니다", "sent_at": "2026-11-24 10:00:00"}
    (one,) = read([*rows, late], conversations=ConversationOptions(customer_speakers=("K",), agent_speakers=("S",)))
    assert one.text == "왜 안 와요"


@pytest.mark.parametrize(
    ("speaker", "is_crisis"), [("고객", True), ("상담사", False)], ids=["of the customer", "of the agent"]
)
def test_a_crisis_in_an_earlier_turn_counts(read, speaker, is_crisis):
    rows = turned_bad("a", "왜 안 와요", 60)
    early = utterance("우울", 0.9, "죽고 싶어요", conversation_id="a", speaker=speaker, sent_at="2026-11-23 00:00:00")
    between = [{**rows[1], "sent_at": f"2026-11-24 00:{n:02}:00"} for n in range(20)]
    (one,) = read([early, *between, *rows], "emotion = '분노'")
    assert one.is_crisis == is_crisis
    assert "죽고 싶어요" not in [turn.text for turn in one.before]


def test_flags_of_the_archive_are_read(tmp_path):
    rows = [{**one, "flags": ["refund", None]} for one in turned_bad("a", "왜 안 와요")]
    archive = open_labelled(write_archive(tmp_path / "out", rows))
    with open_conversations(archive, Selection()) as found:
        assert [one.flags for one in found.after(0)] == [("refund",)]


def test_an_input_column_named_flags_that_is_no_list_is_not_read(read):
    assert [one.flags for one in read([{**one, "flags": "x"} for one in turned_bad("a", "왜 안 와요")])] == [()]


@pytest.mark.parametrize("where", [None, "emotion = '분노'"])
def test_columns_of_the_input_may_have_the_names_of_columns_of_the_queries(read, where):
    names = ("turn", "last_turn", "number", "who", "part", "row", "talk", "counts", "after", "before", "conversation")
    rows = [{**one, **dict.fromkeys(names, place)} for place, one in enumerate(turned_bad("a", "왜 안 와요"))]
    assert [(one.text, one.turn) for one in read(rows, where)] == [("왜 안 와요", 3)]


def test_an_archive_without_conversations_needs_a_condition(read):
    with pytest.raises(OptionError, match=r"has no conversations.*--where.*--conversation-column"):
        read([utterance("분노", 0.8, "왜 안 와요")])


def test_labels_of_unknown_meaning_need_an_option(tmp_path):
    rows = [row("가나다", 0.5, 1, conversation_id="a"), row("라마바", 0.5, 2, conversation_id="a")]
    table = table_of(rows)
    names = [name.replace("분노", "A1").replace("일상", "B2").replace("기쁨", "C3") for name in table.column_names]
    table = table.rename_columns(names).set_column(
        table.column_names.index("emotion"), "emotion", pa.array(["A1", "C3"]).dictionary_encode()
    )
    write_part(tmp_path / "out", table)
    archive = open_labelled(write_run(tmp_path / "out"))
    assert len(archive.labels) == len(LABELS)
    with pytest.raises(OptionError, match=r"A1.*--negative.*--where"), open_conversations(archive, Selection()):
        pass


@pytest.mark.parametrize("where", ["nothing = 1", "emotion = ", "text::INT = 1", "1; DROP TABLE x", "emotion = 3"])
def test_a_wrong_condition_is_refused_in_one_line_without_dialogue(read, where):
    with pytest.raises(InputError) as refused:
        read(turned_bad("a", "왜 안 와요"), where)
    assert "\n" not in str(refused.value)
    assert "안 와요" not in str(refused.value)
