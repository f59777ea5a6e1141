"""Decides whether an utterance of an agent can serve as an answer, and cuts long answers."""

from __future__ import annotations

import re
import unicodedata

# Phrases that answer nothing, in lower case, without spaces and punctuation.
_PHRASES = (
    "네", "넵", "넹", "넷", "예", "아니요", "아니오", "아뇨", "안녕하세요", "안녕하십니까", "반갑습니다", "감사합니다",
    "감사드립니다", "감사해요", "고맙습니다", "고마워요", "죄송합니다", "죄송해요", "알겠습니다", "알겠어요",
    "확인했습니다", "확인하겠습니다", "그렇군요", "그러시군요", "그렇습니다", "맞습니다", "맞아요", "잠시만요",
    "잠시만기다려주세요", "잠시만기다려주시겠어요", "잠시만기다려주십시오", "좋은하루되세요", "좋은하루보내세요",
    "즐거운하루되세요", "행복한하루되세요", "수고하세요", "수고하셨습니다", "고객님", "회원님", "상담사", "상담원",
    "입니다", "아", "오", "음", "어", "흠", "ok", "okay", "yes", "no", "thanks", "thankyou", "hello", "hi", "bye",
)  # fmt: skip
_NOTHING = re.compile(f"(?:{'|'.join(_PHRASES)})*")
_LONGEST_NOTHING = 60  # number of characters without spaces and punctuation

_PLACEHOLDER = re.compile(r"\[[^\[\]]{1,10}\]")
_LONE_JAMO = re.compile(r"[ㄱ-ㅎㅏ-ㅣ]")
# A line break, punctuation before a space, or an ending of a polite sentence before a space.
_SENTENCE_END = re.compile(r"(?=\n)|(?<=[.!?~…。])(?=\s|$)|(?<=니다|니까)(?=\s)|(?<=[요죠])(?=\s)")


def says_nothing(text: str) -> bool:
    """Return whether a text has only phrases such as 네 and 감사합니다, placeholders, single jamo and punctuation."""
    plain = _PLACEHOLDER.sub("", unicodedata.normalize("NFC", text).casefold())
    letters = _LONE_JAMO.sub("", "".join(filter(str.isalnum, plain)))
    return not letters or (len(letters) <= _LONGEST_NOTHING and _NOTHING.fullmatch(letters) is not None)


def cut_at_sentence(text: str, most: int) -> str | None:
    """Return the sentences of a text that fit into `most` characters; None if not even the first sentence fits.

    White space becomes single spaces. A line break ends a sentence.
    """
    lines = (" ".join(line.split()) for line in text.splitlines())
    lined = "\n".join(line for line in lines if line)
    if len(lined) > most:
        ends = [match.start() for match in _SENTENCE_END.finditer(lined, 0, most + 1) if 0 < match.start() <= most]
        if not ends:
            return None
        lined = lined[: ends[-1]]
    return lined.replace("\n", " ")
