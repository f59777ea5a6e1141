"""Which situation the built-in book finds for texts where a wrong answer hurts: illness, death, violence, danger."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from emojob.pipeline.replies.answers import builtin
from emojob.pipeline.replies.answers.choice import AnswersWay
from emojob.pipeline.replies.bot_folder import builtin_way
from emojob.pipeline.replies.words import TONES

FOLDER = Path(builtin.__file__).parent / "builtin"
SITUATIONS = {
    one["category"]: [answer for tone in TONES for answer in one[tone]]
    for file in sorted(FOLDER.glob("*.toml"))
    for one in tomllib.loads(file.read_text(encoding="utf-8"))["situation"]
}
GRAVE = (
    "건강/공황", "건강/가족의병", "육아/진단", "상실/죽음", "상실/친구", "상실/유산", "상실/사별", "폭력/연인",
    "폭력/가정", "폭력/학교", "마음/자책", "안전/화재위험", "보상/병원비",
)  # fmt: skip
TEXTS = {
    "잠을 3일째 못 자고 있어요. 심장이 막 두근거리고 손이 떨려요": "건강/공황",
    "아빠가 암이래요": "건강/가족의병",
    "친구가 죽었어요": "상실/죽음",
    "제 아이가 자폐 진단을 받았어요": "육아/진단",
    "남자친구가 때렸어요": "폭력/연인",
    "아빠가 술만 마시면 엄마를 때려요": "폭력/가정",
    "세탁기에서 연기가 나요": "안전/화재위험",
    "해지했는데 석 달째 요금이 빠져나갔네요. 이거 사기 아닙니까?": "결제/해지후청구",
    "참~ 빨리도 보내주셨네요. 생일 다 지나고 선물이 왔어요": "고객/비꼼",
    "참 친절도 하시네요 한 시간이나 기다리게 하고": "고객/비꼼",
    "답변이 계속 똑같은데 로봇이에요? 사람 바꿔요": "상담/사람연결",
    "강아지가 무지개다리를 건넜어요... 사료 정기배송 취소하고 싶어요": "고객/반려동물",
    "죽은 줄 알았던 다육이가 살아났어요": "기쁨/식물",
    "화분에 키우던 꽃이 죽었어요": "상실/식물",
    "좋아 죽겠어요 우리 강아지": "기쁨/반려동물",
    "손목시계 배터리가 죽었어요": "상품/배터리",
    "수면제 처방전 배송도 되나요?": "상품/처방약",
    "임신 중인데 이 영양제 먹어도 되나요?": "상품/복용상담",
    "죄송하다고 하면 다예요? 병원비는요?": "보상/병원비",
}


@pytest.fixture(scope="module")
def way() -> AnswersWay:
    return builtin_way()[0]


@pytest.mark.slow
def test_a_hard_text_finds_its_situation(way: AnswersWay) -> None:
    found = {text: one.category for text, one in zip(TEXTS, way.find(list(TEXTS)), strict=True)}
    assert found == TEXTS


@pytest.mark.slow
def test_the_death_of_a_person_is_not_taken_for_that_of_a_pet_or_a_plant(way: AnswersWay) -> None:
    people = ("엄마가", "아빠가", "남편이", "형이", "딸이", "여동생이", "이모가", "선배가", "짝꿍이", "할머니가")
    found = way.find([f"{person} {word}" for person in people for word in ("죽었어요", "죽었어", "죽었습니다")])
    assert {one.category for one in found} == {"상실/죽음"}


@pytest.mark.parametrize("category", GRAVE)
def test_no_answer_to_grave_news_exclaims(category: str) -> None:
    assert [answer for answer in SITUATIONS[category] if "!" in answer] == []


@pytest.mark.parametrize(
    ("category", "numbers"),
    [("폭력/연인", "112|1366"), ("폭력/가정", "112|1366"), ("폭력/학교", "117|112"), ("안전/화재위험", "119")],
)
def test_every_answer_to_danger_names_whom_to_call(category: str, numbers: str) -> None:
    assert [answer for answer in SITUATIONS[category] if not re.search(numbers, answer)] == []
