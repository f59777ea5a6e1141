"""Masks the names of speakers in texts, such as the name of an agent who introduces himself or herself."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from emojob.schemas.pii import placeholder
from emojob.schemas.roles import AGENT_WORDS, CUSTOMER_WORDS

#: Replaces the name of a speaker.
NAME = placeholder("이름")

_WORD = re.compile(r"[가-힣]+|[A-Za-z]+")
_ROLE_WORDS = frozenset({*CUSTOMER_WORDS, *AGENT_WORDS})
_KOREAN_ROLES = tuple(word for word in _ROLE_WORDS if re.fullmatch(r"[가-힣]{2,}", word))
_SHORTEST_LATIN, _WHOLE, _GIVEN = 3, 3, 2  # numbers of letters
# A given name, or a name of two syllables, may also be an ordinary word (지원). What follows shows that it is a name.
_AFTER_A_NAME = re.compile(
    r"\s?(?:님|씨(?![가-힣])|입니다|이에요|예요|이라고|라고|드림|올림|상담사|상담원|매니저|팀장|대리|고객님)"
)


class SpeakerNames:
    """The names of speakers, without words for roles such as 고객 and 상담사."""

    def __init__(self, speakers: Iterable[str] = ()) -> None:
        self._whole: set[str] = set()
        self._given: set[str] = set()
        for speaker in speakers:
            for word in _WORD.findall(unicodedata.normalize("NFC", speaker)):
                self._add(word)

    def _add(self, word: str) -> None:
        if word.isascii():
            if len(word) >= _SHORTEST_LATIN and word.lower() not in _ROLE_WORDS:
                self._whole.add(word.lower())
            return
        name = word.removesuffix("님")
        if any(role in word for role in _KOREAN_ROLES) or word in _ROLE_WORDS:
            return
        if len(name) >= _WHOLE:
            self._whole.add(name)
        if len(name) in (_GIVEN, _GIVEN + 1):  # the name of a family has one syllable
            self._given.add(name[-_GIVEN:])

    @functools.cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(name) for name in self._whole}, reverse=True)

    def mask(self, text: str) -> str:
        """Return a text with a placeholder for each name. A particle after a name stays: `[이름]입니다`."""
        if not self._whole and not self._given:
            return text
        return _WORD.sub(lambda match: self._masked(match, text), text)

    def _masked(self, match: re.Match[str], text: str) -> str:
        word = match[0]
        if word.isascii():
            return NAME if word.lower() in self._whole else word
        for length in self._lengths:
            if word[:length] in self._whole:
                return NAME + word[length:]
        is_given = word[:_GIVEN] in self._given and _AFTER_A_NAME.match(text, match.start() + _GIVEN)
        return NAME + word[_GIVEN:] if is_given else word
