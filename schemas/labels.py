"""Defines the labels of the default model, their emoji and English names, and which labels are negative."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from emojob.schemas.errors import OptionError
from emojob.schemas.messages import listed

#: Labels of the default model in id order: neutral, anger, anxiety, sadness, joy, depression.
DEFAULT_LABELS = ("일상", "분노", "불안", "슬픔", "기쁨", "우울")

EMOJI = {"일상": "😀", "분노": "😡", "불안": "😧", "슬픔": "😭", "기쁨": "😊", "우울": "😥"}

ENGLISH = {
    "일상": "neutral",
    "분노": "anger",
    "불안": "anxiety",
    "슬픔": "sadness",
    "기쁨": "joy",
    "우울": "depression",
}

#: Names of negative labels of usual models, in lower case.
NEGATIVE = frozenset({
    "분노", "불안", "슬픔", "우울", "당황", "상처", "공포", "두려움", "무서움", "혐오", "역겨움", "징그러움", "짜증",
    "화", "화남", "부정", "부정적", "걱정", "실망", "외로움", "후회", "피로", "불만", "불평", "불쾌", "불쾌함",
    "절망", "좌절", "난처", "증오", "경멸", "한심함", "어이없음", "안타까움", "서러움", "불쌍함", "연민", "죄책감",
    "자기혐오", "패배", "힘듦", "지침", "지긋지긋", "귀찮음", "부담", "안 내킴", "의심", "불신", "부끄러움",
    "재미없음", "우쭐댐", "무시함", "경악", "우울감", "불안감", "분함", "억울함", "싫음", "괴로움", "고통",
    "스트레스", "초조", "긴장", "질투", "수치", "수치심", "지루함", "비난", "항의", "anger", "angry", "annoyance",
    "annoyed", "anxiety", "anxious", "complaint", "contempt", "depressed", "depression", "despair", "disappointed",
    "disappointment", "disapproval", "disgust", "disgusted", "dissatisfaction", "dissatisfied", "distress",
    "embarrassed", "embarrassment", "envy", "fear", "frustrated", "frustration", "grief", "guilt", "hate", "hatred",
    "hurt", "jealousy", "loneliness", "lonely", "neg", "negative", "nervousness", "panic", "pain", "rage", "regret",
    "remorse", "sad", "sadness", "scared", "shame", "stress", "tired", "unhappy", "upset", "worried", "worry",
})  # fmt: skip

#: Names of labels of usual models that are not negative, in lower case.
NOT_NEGATIVE = frozenset({
    "일상", "중립", "중립적", "보통", "평온", "무감정", "감정없음", "없음", "기타", "기쁨", "행복", "행복함",
    "즐거움", "신남", "긍정", "긍정적", "만족", "감사", "고마움", "사랑", "놀람", "놀라움", "기대", "기대감", "환영",
    "호의", "감동", "감탄", "존경", "비장함", "뿌듯함", "편안", "쾌적", "편안함", "신기함", "관심", "아껴주는",
    "깨달음", "흐뭇함", "귀여움", "예쁨", "안심", "신뢰", "호기심", "자신감", "안도", "설렘", "흥미", "재미", "칭찬",
    "희망", "차분함", "유쾌", "자랑스러움", "admiration", "amusement", "approval", "calm", "caring", "confusion",
    "content", "contentment", "curiosity", "curious", "delight", "desire", "enthusiasm", "excited", "excitement",
    "fun", "gratitude", "happiness", "happy", "hope", "interest", "joy", "joyful", "love", "neu", "neutral", "none",
    "normal", "optimism", "other", "others", "pos", "positive", "pride", "proud", "realization", "relief", "relieved",
    "satisfaction", "satisfied", "surprise", "surprised", "trust",
})  # fmt: skip

#: Names of negative labels that need attention. A report lists a conversation if the first label of a speaker is not
#: negative, and the last label of this speaker is in ALARMING.
ALARMING = frozenset({
    "분노", "화", "화남", "우울", "우울감", "불안", "불안감", "공포", "무서움", "두려움", "절망",
    "anger", "angry", "rage", "depression", "depressed", "despair", "anxiety", "anxious", "fear", "scared", "panic",
})  # fmt: skip

_BETWEEN = re.compile(r"[/,·|&+;()\[\]]")


@dataclass(frozen=True)
class Meaning:
    """Which labels of a model are negative.

    Attributes:
        negative: Labels that are negative, in id order.
        alarming: Negative labels that need attention, in id order: a conversation that ends with one turned bad.
        unknown: Labels whose meaning emojob does not know, in id order. They are neither negative nor not negative.
    """

    negative: tuple[str, ...]
    alarming: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        """Return whether emojob knows a negative label, or knows that no label is negative."""
        return bool(self.negative) or not self.unknown


def meaning_of(labels: Sequence[str], given: Sequence[str] = ()) -> Meaning:
    """Return which labels are negative.

    Args:
        labels: Labels of the model, in id order.
        given: Labels that the user named as negative. If any, all other labels are not negative, and all given labels
            are alarming. If empty, the names of the labels decide. If no label is in ALARMING, all negative labels are
            alarming.

    Raises:
        OptionError: A given label is not a label of the model.
    """
    if given:
        by_key = {_key(label): label for label in labels}
        wrong = [label for label in given if _key(label) not in by_key]
        if wrong:
            raise OptionError(
                f"--negative {listed(wrong)}: the model has no such label; give one of its labels: {listed(labels)}"
            )
        named = tuple(label for label in labels if label in {by_key[_key(one)] for one in given})
        return Meaning(named, named, ())
    signs = {label: is_negative(label) for label in labels}
    negative = tuple(label for label in labels if signs[label])
    alarming = tuple(label for label in negative if ALARMING & set(_words(label)))
    return Meaning(negative, alarming or negative, tuple(label for label in labels if signs[label] is None))


def is_negative(label: str) -> bool | None:
    """Return whether a label is negative; None if emojob does not know the name.

    A label may join several names, such as 화남/분노. Then all known names must agree, and one name must be known.
    """
    if _key(label) in NEGATIVE | NOT_NEGATIVE:
        return _key(label) in NEGATIVE
    signs = {word in NEGATIVE for word in _words(label) if word in NEGATIVE | NOT_NEGATIVE}
    return signs.pop() if len(signs) == 1 else None


def _words(label: str) -> list[str]:
    return [_key(label), *(_key(word) for word in _BETWEEN.split(label) if _key(word))]


def _key(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).replace("_", " ").casefold().split())
