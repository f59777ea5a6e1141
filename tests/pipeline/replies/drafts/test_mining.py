"""Pairs are mined where an answer made a customer feel better; texts are masked, and every answer is counted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.replies.drafts.mining import LEAST_CONFIDENCE, MinedPairs, mine
from emojob.schemas.errors import ColumnError, DataError, OptionError, OutputError
from emojob.schemas.options import ConversationOptions
from tests.archives import table_of, utterance, write_archive, write_part, write_run
from tests.examples import examples


def said(
    speaker: str | None, text: str, emotion: str = "일상", confidence: float = 0.7, talk: str | None = "a"
) -> dict:
    return utterance(emotion, confidence, text, conversation_id=talk, speaker=speaker)


def mined(out: Path, *rows: dict, **options: tuple[str, ...]) -> MinedPairs:
    return mine(open_labelled(write_archive(out, list(rows))), ConversationOptions(**options))


def counts_of(found: MinedPairs) -> dict[str, int]:
    return {name: count for name, count in vars(found.counts).items() if count}


BETTER = (
    said("고객", "주문한 지 열흘이 지났어요", "분노"),
    said("상담사", "늦어져서 정말 죄송합니다."),
    said("상담사", "오늘 안에 출고되도록 창고에 요청했습니다."),
    said("고객", "빨리 봐 주셔서 다행이에요", "기쁨"),
)


def test_the_joined_turns_of_the_agent_are_the_answer(tmp_path):
    found = mined(tmp_path, said("고객", "저기요", "분노"), *BETTER)
    assert found.questions == ["주문한 지 열흘이 지났어요"]
    assert found.answers == ["늦어져서 정말 죄송합니다. 오늘 안에 출고되도록 창고에 요청했습니다."]
    assert found.emotions == ["분노"]
    assert counts_of(found) == {"looked_at": 1, "kept": 1}


@pytest.mark.parametrize(
    ("before", "after", "is_better"),
    [
        ("분노", "일상", True), ("우울", "기쁨", True), ("일상", "기쁨", True), ("불안", "슬픔", False),
        ("일상", "일상", False), ("기쁨", "일상", False), ("일상", "분노", False), ("기쁨", "기쁨", False),
    ],
)  # fmt: skip
def test_only_a_better_emotion_makes_a_pair(tmp_path, before, after, is_better):
    asked, answered = said("고객", "환불이 왜 안 되죠", before), said("상담사", "규정을 다시 확인해 볼게요")
    found = mined(
        tmp_path,
        asked,
        answered,
        said("고객", "그렇게 해 주세요", after),
        *[{**r, "conversation_id": "b"} for r in BETTER],
    )
    assert ("환불이 왜 안 되죠" in found.questions) == is_better
    assert found.counts.not_better == (not is_better)


def test_each_reason_is_counted(tmp_path):
    rows = [
        said("상담사", "어서 오세요, 무엇을 도와드릴까요"),  # answers nobody
        said("고객", "요금이 두 번 나갔어요", "분노"), said("상담사", "중복 결제를 취소했습니다."),
        said("고객", "휴", "기쁨", 0.4),
        said("상담사", "영수증도 보내 드릴게요."), said("고객", "요금제도 바꿀래요", "불안"),
        said("상담사", "네 감사합니다^^"), said("고객", "아 그래요", "일상"),
        said("상담사", "더 필요한 것이 있으세요?"),  # the customer says nothing more
    ]  # fmt: skip
    found = mined(tmp_path, *rows, *[{**one, "conversation_id": talk} for talk in "bc" for one in BETTER])
    assert counts_of(found) == {
        "looked_at": 6, "kept": 1, "unsure": 2, "empty": 1, "without_next": 1, "repeated": 1
    }  # fmt: skip
    assert found.counts.summary() == "6 answers = 1 kept + 1 without next + 2 unsure + 1 empty + 1 repeated"


def test_texts_of_a_crisis_are_never_learned(tmp_path):
    rows = [
        said("고객", "정말 죽고 싶어요", "우울"),
        said("상담사", "말씀해 주셔서 고마워요."),
        said("고객", "네", "일상"),
    ]
    found = mined(tmp_path, *rows, *[{**one, "conversation_id": "b"} for one in BETTER])
    assert counts_of(found) == {"looked_at": 2, "crisis": 1, "kept": 1}


def test_another_customer_is_not_the_one_who_asked(tmp_path):
    rows = [*BETTER[:3], {**BETTER[3], "speaker": "고객 2"}]
    found = mined(tmp_path, *rows, *[{**one, "conversation_id": "b"} for one in BETTER])
    assert counts_of(found) == {"looked_at": 2, "without_next": 1, "kept": 1}


def test_empty_utterances_between_do_not_matter(tmp_path):
    nothing = [utterance(None, conversation_id="a", speaker=speaker) for speaker in ("고객", "상담사", None)]
    rows = [BETTER[0], *nothing, *BETTER[1:3], *nothing, BETTER[3]]
    assert mined(tmp_path, *rows).answers == mined(tmp_path / "plain", *BETTER).answers


def test_personal_data_and_names_of_speakers_are_masked(tmp_path):
    rows = [
        said("이서준 고객", "저는 이서준이고 번호는 010-1234-5678이에요. 왜 연락이 없죠?", "분노"),
        said("상담사 김하늘", "상담사 김하늘입니다. 이서준님, kim@example.com 으로 지원 서류를 보냈습니다."),
        said("상담사 김하늘", "결과는 박지원 상담사가 지원 센터에서 알려 드려요."),
        said("이서준 고객", "하늘님 고마워요", "기쁨"),
        said("박지원 상담사", "안녕하세요", talk="b"),
    ]
    found = mined(tmp_path, *rows)
    assert found.questions == ["저는 [이름]이고 번호는 [전화번호]이에요. 왜 연락이 없죠?"]
    assert found.answers == [
        "상담사 [이름]입니다. [이름]님, [이메일] 으로 지원 서류를 보냈습니다. "
        "결과는 [이름] 상담사가 지원 센터에서 알려 드려요."
    ]


def test_a_long_answer_ends_with_a_sentence(tmp_path):
    long = "배송 상태를 자세히 살펴보고 있습니다. " * 40
    rows = [BETTER[0], said("상담사", long), BETTER[3]]
    endless = [{**one, "conversation_id": "b"} for one in (BETTER[0], said("상담사", "가" * 400), BETTER[3])]
    found = mined(tmp_path, *rows, *endless)
    assert 250 < len(found.answers[0]) <= 300
    assert found.answers[0].endswith("있습니다.")
    assert found.counts.too_long == 1


def test_the_user_names_speakers_and_negative_labels(tmp_path):
    rows = [{**one, "speaker": {"고객": "하나", "상담사": "두리"}[one["speaker"]]} for one in BETTER]
    assert len(mined(tmp_path, *rows, customer_speakers=("하나",)).questions) == 1
    assert len(mined(tmp_path, *rows, agent_speakers=("두리",)).questions) == 1
    with pytest.raises(DataError, match=r"no answer was followed by a better emotion.*1 not better"):
        mined(tmp_path, *rows, agent_speakers=("두리",), negative=("기쁨",))


def test_conversations_without_roles_are_left_out_and_counted(tmp_path):
    rows = [{**one, "speaker": one["speaker"] + "?!", "conversation_id": "b"} for one in BETTER]
    rows = [{**one, "speaker": {"고객": "하나", "상담사": "두리"}[one["speaker"][:-2]]} for one in rows]
    found = mined(tmp_path, *BETTER, *rows)
    assert counts_of(found) == {"looked_at": 1, "kept": 1}
    assert "1 conversation without a known agent" in found.notes[0]


def test_archives_that_cannot_give_pairs_are_refused_with_the_next_step(tmp_path):
    bare = [utterance("분노", text="왜 안 돼요"), utterance("기쁨", text="됐네요")]
    with pytest.raises(ColumnError, match="--conversation-column NAME and --speaker-column NAME"):
        mined(tmp_path / "bare", *bare)
    with pytest.raises(ColumnError, match="--speaker-column NAME"):
        mined(tmp_path / "no speakers", *[{**one, "conversation_id": "a"} for one in bare])
    unknown = [
        {**one, "conversation_id": "a", "speaker": name} for one, name in zip(bare, ("하나", "두리"), strict=True)
    ]
    with pytest.raises(OptionError, match="--customer-speaker NAME and --agent-speaker NAME") as raised:
        mined(tmp_path / "no roles", *unknown)
    assert "하나" not in str(raised.value)
    with pytest.raises(OptionError, match="known to be an agent"):
        mined(tmp_path / "no agents", *[{**one, "conversation_id": "a", "speaker": "고객"} for one in bare])
    with pytest.raises(DataError, match="1 not better"):
        mined(tmp_path / "none better", *BETTER[:3], said("고객", "그래도 화나요", "분노"))
    dropped = write_archive(tmp_path / "dropped", [{**one, "text": None} for one in BETTER])
    table = table_of([{key: value for key, value in one.items() if key != "text"} for one in BETTER], "", LABELS)
    write_part(dropped, table)
    (dropped / "_emojob" / "run.json").write_text(
        '{"format": 1, "text_column": "text", "privacy": {"drop_text": true}}'
    )
    with pytest.raises(OutputError, match="--drop-text"):
        mine(open_labelled(dropped))


LABELS = ("일상", "분노", "불안", "슬픔", "기쁨", "우울")


def test_labels_whose_meaning_is_unknown_are_refused(tmp_path):
    rows = [{**one, "probabilities": [0.6, 0.4], "emotion": "하나"} for one in BETTER]
    write_part(tmp_path, table_of(rows, "", ("하나", "둘")))
    archive = open_labelled(write_run(tmp_path))
    with pytest.raises(OptionError, match="--negative LABEL"):
        mine(archive)
    with pytest.raises(DataError, match="1 not better"):
        mine(archive, ConversationOptions(negative=("둘",)))


_SPEAKERS = st.sampled_from(["고객", "상담사"])
_TURNS = st.lists(
    st.tuples(st.sampled_from("ab"), _SPEAKERS, st.sampled_from(LABELS), st.sampled_from([0.4, 0.9])), max_size=14
)


@pytest.mark.slow
@given(_TURNS)
@examples(60)
def test_the_pairs_are_those_found_one_by_one(tmp_path_factory, turns):
    rows = [
        said(speaker, f"{number}번째로 하는 말이에요.", emotion, confidence, talk)
        for number, (talk, speaker, emotion, confidence) in enumerate(turns)
    ]
    anchor = [{**one, "conversation_id": "z"} for one in BETTER]
    found = mined(tmp_path_factory.mktemp("out"), *rows, *anchor)
    expected = [pair for talk in "ab" for pair in by_hand([one for one in rows if one["conversation_id"] == talk])]
    pairs = list(zip(found.questions, found.answers, strict=True))[:-1]
    assert sorted(pairs) == sorted(expected)
    assert sum(counts_of(found).values()) == 2 * found.counts.looked_at
    assert pairs == sorted(pairs, key=lambda pair: int(pair[0].split("번째")[0]))


def by_hand(rows: list[dict]) -> list[tuple[str, str]]:
    runs: list[list[dict]] = []
    for one in rows:
        if not runs or runs[-1][0]["speaker"] != one["speaker"]:
            runs.append([])
        runs[-1].append(one)
    level = {"일상": 1, "기쁨": 2}
    found = []
    for (asked, answered), (_, after) in pairwise(pairwise(runs)):
        if asked[0]["speaker"] == "고객":
            before, then = asked[-1], after[0]
            sure = min(max(before["probabilities"]), max(then["probabilities"])) >= LEAST_CONFIDENCE
            if sure and level.get(then["emotion"], 0) > level.get(before["emotion"], 0):
                found.append((before["text"], " ".join(one["text"] for one in answered)))
    return found
