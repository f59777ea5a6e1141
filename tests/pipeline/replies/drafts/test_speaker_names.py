"""Names of speakers are masked in texts, words that only look like names are not."""

import pytest

from emojob.pipeline.replies.drafts.speaker_names import SpeakerNames


@pytest.mark.parametrize(
    ("speaker", "text", "masked"),
    [
        ("김하늘", "상담사 김하늘입니다", "상담사 [이름]입니다"),
        ("상담사_김하늘(1팀)", "김하늘님께 물어보세요", "[이름]님께 물어보세요"),
        ("김하늘", "하늘씨 계세요?", "[이름]씨 계세요?"),
        ("김하늘", "하늘이 맑아요", "하늘이 맑아요"),
        ("이준", "담당자 이준입니다", "담당자 [이름]입니다"),
        ("이준", "이준비물을 챙기세요", "이준비물을 챙기세요"),
        ("Tom Baker", "this is tom, from sales", "this is [이름], from sales"),
        ("agent_07", "the agent is here", "the agent is here"),
        ("상담사 12", "상담사 연결을 도와드릴게요", "상담사 연결을 도와드릴게요"),
        ("고객님", "고객님 반가워요", "고객님 반가워요"),
        ("고객센터", "고객센터로 전화 주세요", "고객센터로 전화 주세요"),
        ("A", "A 상품은 품절이에요", "A 상품은 품절이에요"),
        ("", "아무 말", "아무 말"),
    ],
)
def test_names_are_masked(speaker, text, masked):
    assert SpeakerNames([speaker]).mask(text) == masked


def test_a_name_in_decomposed_hangul_is_masked():
    import unicodedata

    assert SpeakerNames([unicodedata.normalize("NFD", "박서연")]).mask("박서연이 왔어요") == "[이름]이 왔어요"
