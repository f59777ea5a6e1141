"""Answers that say nothing are known, and long answers end with a whole sentence."""

import pytest

from emojob.pipeline.replies.drafts.answer_texts import cut_at_sentence, says_nothing


@pytest.mark.parametrize(
    "text",
    [
        "네",
        "네!",
        "감사합니다 ^^",
        "네 감사합니다~",
        "넵 ㅎㅎ",
        "안녕하세요 [이름] 고객님",
        "OK",
        "...",
        "",
        "ㅠㅠ",
        "😊",
        "[전화번호]",
    ],
)
def test_phrases_without_an_answer(text):
    assert says_nothing(text)


@pytest.mark.parametrize(
    "text",
    [
        "네, 내일 도착해요",
        "감사합니다. 환불은 3일 걸려요",
        "죄송하지만 품절이에요",
        "[전화번호]로 전화 주세요",
        "아침에 와요",
    ],
)
def test_answers(text):
    assert not says_nothing(text)


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("하나예요. 둘이에요.", 20, "하나예요. 둘이에요."),
        ("하나예요. 둘이에요.", 9, "하나예요."),
        ("하나예요. 둘이에요.", 5, "하나예요."),
        ("하나예요. 둘이에요.", 4, None),
        ("하나예요 둘이에요", 8, "하나예요"),
        ("확인했습니다 바다 건너", 9, "확인했습니다"),
        ("첫 줄\n둘째 줄이 길다", 8, "첫 줄"),
        ("  여러   칸\n\n  줄 ", 20, "여러 칸 줄"),
        ("3.5배 늘어요. 끝.", 6, None),
        ("가" * 400, 300, None),
        ("", 10, ""),
    ],
)
def test_an_answer_is_cut_after_a_sentence(text, most, cut):
    assert cut_at_sentence(text, most) == cut
