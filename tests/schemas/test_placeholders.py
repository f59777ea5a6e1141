"""Null markers and placeholders of messengers count as empty only as a whole text."""

import pyarrow as pa
import pytest

from emojob.schemas.placeholders import is_null_marker, is_placeholder, system_lines, without_placeholders

NULL_MARKERS = ["NULL", "null", "\\N", "nan", "NaN", "None", "(null)", "N/A", "#N/A", "<NA>", " NULL\n"]
PLACEHOLDERS = [
    "사진", "사진 3장", "이모티콘", "동영상", "삭제된 메시지입니다.", "파일: 견적서 최종.pdf", "보이스톡 해요",
    "<Media omitted>", "\u200eimage omitted", "IMG-0001.jpg (file attached)", "This message was deleted", "[스티커]",
    "has joined the channel", "<@U1> has joined the channel",
]  # fmt: skip
UTTERANCES = [
    "사진 보내 주세요", "사진?", "none", "null 값이에요", "나", "파일: 곧 보낼게요", "동영상 봤어요", "이모티콘 귀엽다",
    "N", "nana", "삭제된 메시지입니다. 라고 떠요", "I sent the photo", "사진\n여기요", "",
]  # fmt: skip


def test_null_markers_and_placeholders_are_told_apart():
    texts = pa.array([*NULL_MARKERS, *PLACEHOLDERS])
    assert is_null_marker(texts).to_pylist() == [True] * len(NULL_MARKERS) + [False] * len(PLACEHOLDERS)
    assert is_placeholder(texts).to_pylist() == [False] * len(NULL_MARKERS) + [True] * len(PLACEHOLDERS)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_utterances_with_such_words_stay(kind):
    texts = pa.array([*UTTERANCES, None, *PLACEHOLDERS], pa.string()).cast(kind)
    nothing = [None] * (1 + len(PLACEHOLDERS))
    assert without_placeholders(texts).to_pylist() == [*UTTERANCES, *nothing]
    assert without_placeholders(texts, placeholders=False).to_pylist() == texts.to_pylist()
    assert without_placeholders(pa.array(["NULL", "사진"]), placeholders=False).to_pylist() == [None, "사진"]


def test_a_column_that_holds_no_text_stays_as_it_is():
    assert without_placeholders(pa.nulls(2)).to_pylist() == [None, None]


@pytest.mark.parametrize("messenger", ["kakaotalk", "whatsapp"])
def test_the_patterns_of_system_lines_are_valid(messenger):
    assert pa.compute.match_substring_regex(pa.array(["아무 말"]), system_lines(messenger)).to_pylist() == [False]
