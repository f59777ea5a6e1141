"""The form in which rules see a text."""

import unicodedata

import pytest

from emojob.pipeline.rules.normal_text import normal_text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("오늘 날씨가 좋네요!! 산책할까요?", "오늘 날씨가 좋네요.산책할까요?"),
        ("첫째 줄\n둘째 줄", "첫째 줄.둘째 줄"),
        ("ㅂㅏ다에 가ㄱㅗ 싶ㅇㅓ", "바다에 가고 싶어"),
        ("ㅅ ㅏ ㄴ 에 간다", "산 에 간다"),
        ("바.다.에.가.자", "바다에가자"),
        ("바 다 에 가 자", "바다에가자"),
        ("바♡다로 가자", "바다로 가자"),
        ("바1다1로", "바다로"),
        ("바\u200b다", "바다"),
        ("ＳＥＡ", "sea"),
        ("신난다ㅋㅋㅋㅋ바다다", "신난다 바다다"),
        ("좋아아아아", "좋아"),
        ("우리 같이, 바다(동해)", "우리 같이 바다 동해 "),
        (unicodedata.normalize("NFD", "바다가 좋다"), "바다가 좋다"),
        ("", ""),
    ],
)
def test_the_normal_form_of_a_text(text, normal):
    assert normal_text(text) == normal


def test_words_that_stand_apart_stay_apart():
    assert normal_text("놀자. 살이 빠졌다") == "놀자.살이 빠졌다"
    assert normal_text("집에 가자 산책하자") == "집에 가자 산책하자"
