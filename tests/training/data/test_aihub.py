"""AI Hub's dialogues give the same utterances as a table and as JSON; single sentences are read too."""

import json

import pytest

from emojob.schemas.errors import ColumnError, DataError
from emojob.training.data.corpus import CorpusOptions, read_corpus

PREVIOUS = CorpusOptions(context="previous")

DIALOGUES = (
    "연령,성별,상황키워드,신체질환,감정_대분류,감정_소분류,사람문장1,시스템문장1,사람문장2,시스템문장2,사람문장3,시스템문장3\n"
    "청년,남성,직장,해당없음,분노 ,짜증,일이 또 밀렸어,많이 힘드셨겠어요,"
    "내 탓만 해,속상하시겠어요,그만두고 싶어,쉬어 보세요\n"
    "노년,여성,건강,해당없음,기쁨,감사,무릎이 다 나았어,다행이에요,이제 걸을 수 있어,축하드려요,,\n"
)
FIRST = ["일이 또 밀렸어", "무릎이 다 나았어"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_dialogues_give_the_persons_first_sentence(written, encoding):
    corpus = read_corpus([written("감성.csv", DIALOGUES, encoding)])
    assert (corpus.texts, corpus.raw_labels) == (FIRST, [("분노",), ("기쁨",)])
    assert (corpus.previous, corpus.files[0].kind) == ([None, None], "aihub-dialogue")


def test_dialogues_with_context_give_each_sentence_with_the_systems_answer_before_it(written):
    corpus = read_corpus([written("감성.csv", DIALOGUES)], PREVIOUS)
    assert list(zip(corpus.previous, corpus.texts, strict=True)) == [
        (None, "일이 또 밀렸어"),
        ("많이 힘드셨겠어요", "내 탓만 해"),
        ("속상하시겠어요", "그만두고 싶어"),
        (None, "무릎이 다 나았어"),
        ("다행이에요", "이제 걸을 수 있어"),
    ]
    assert corpus.raw_labels == [("분노",)] * 3 + [("기쁨",)] * 2
    assert [corpus.conversations.index(one) for one in corpus.conversations] == [0, 0, 0, 3, 3]
    assert corpus.files[0].rows == 2


def test_another_label_or_text_column_of_dialogues_may_be_given(written):
    file = written("감성.csv", DIALOGUES)
    assert read_corpus([file], CorpusOptions(label_column="감정_소분류")).raw_labels == [("짜증",), ("감사",)]
    second = read_corpus([file], CorpusOptions(text_column="사람문장2"))
    assert (second.texts, second.raw_labels) == (["내 탓만 해", "이제 걸을 수 있어"], [("분노",), ("기쁨",)])


def test_two_columns_of_dialogues_are_enough(written):
    file = written("검증.csv", "감정_대분류,사람문장1\n당황,갑자기 비가 와\n", "cp949")
    assert read_corpus([file]).raw_labels == [("당황",)]
    with pytest.raises(ColumnError, match="has no conversations"):
        read_corpus([file], PREVIOUS)


def dialogue(code: str | None, *sentences: str) -> dict:
    keys = ("HS01", "SS01", "HS02", "SS02", "HS03", "SS03")
    content = dict(zip(keys, [*sentences, *[""] * 6][:6], strict=True))
    return {"profile": {"emotion": {"type": code}}, "talk": {"content": content}}


def test_json_dialogues_give_the_same_as_the_table(written):
    dialogues = [
        dialogue(
            "E18", "일이 또 밀렸어", "많이 힘드셨겠어요", "내 탓만 해", "속상하시겠어요", "그만두고 싶어", "쉬어 보세요"
        ),
        dialogue("E66", "무릎이 다 나았어", "다행이에요", "이제 걸을 수 있어", "축하드려요"),
    ]
    file = written("감성.json", json.dumps(dialogues, ensure_ascii=False, indent=1))
    for options in (CorpusOptions(), PREVIOUS):
        ours, theirs = read_corpus([file], options), read_corpus([written("감성.csv", DIALOGUES)], options)
        assert (ours.texts, ours.raw_labels, ours.previous) == (theirs.texts, theirs.raw_labels, theirs.previous)


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("E10", "분노"),
        ("E29", "슬픔"),
        ("E30", "불안"),
        ("E49", "상처"),
        ("E50", "당황"),
        ("E69", "기쁨"),
        (None, None),
    ],
)
def test_an_emotion_code_gives_the_class_of_its_ten(written, code, label):
    corpus = read_corpus([written("a.json", json.dumps([dialogue(code, "그래")]))])
    assert corpus.raw_labels == [(label,) if label else ()]


def test_unknown_emotion_codes_are_refused_with_counts(written):
    dialogues = [dialogue(code, "그래") for code in ("E70", "E18", "E70", "X1", "E5")]
    with pytest.raises(DataError, match=r"E70 \(2\), E5 \(1\), X1 \(1\); the known codes are E10 to E69"):
        read_corpus([written("a.json", json.dumps(dialogues))])


def test_a_dialogue_without_text_or_code_is_counted(written):
    dialogues = [dialogue("E18", "그래"), {"profile": {}, "talk": {"content": None}}, {"other": 1}]
    corpus = read_corpus([written("a.json", json.dumps(dialogues))])
    assert (corpus.texts, corpus.raw_labels) == (["그래", None, None], [("분노",), (), ()])


def test_single_sentences_are_read_with_blank_columns_after_them(written):
    corpus = read_corpus([written("단발성.csv", "Sentence,Emotion,,,공포,3\n언제 왔어,놀람,,,놀람,2\n", "cp949")])
    assert (corpus.texts, corpus.raw_labels) == (["언제 왔어"], [("놀람",)])
    assert corpus.files[0].kind == "aihub-sentences"
