"""Normalizes Korean texts for matching: joins loose letters, removes marks between letters, keeps the sentence ends."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

#: Runs of marks are cut to this length before Unicode normalization, which takes quadratic time on combining marks.
LONGEST_RUN_OF_MARKS = 16

_LONG_RUN = re.compile(rf"([^\w\s]{{{LONGEST_RUN_OF_MARKS}}})[^\w\s]+")
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f\u00ad\u0300-\u036f\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef]"
)
_LETTERS_APART = re.compile(r"[ㄱ-ㅣ](?:[ .,\-_*~]{1,3}[ㄱ-ㅣ])+")
_NOT_A_LETTER = re.compile(r"[^ㄱ-ㅣ]+")
_LAUGHTER = re.compile("[ㅋㅎㅠㅜㅡ]{2,}")
_COMPATIBILITY_LETTER = re.compile("[ㄱ-ㅣ]")
_LOOSE = re.compile("[\u1100-\u11ff]")
_LOOSE_FINAL = re.compile("([가-힣])([ᄀ-ᄎᄐᄑ])(?=[가-힣]|[^\u1100-\u11ff]|$)")
_LETTER_BETWEEN = re.compile("(?<=[가-힣])[ㄱ-ㅊㅌㅍㅏ-ㅣ](?=[가-힣])")
_SYMBOLS_BETWEEN = re.compile(r"(?<![가-힣])[가-힣](?:[^\w\s.,!?…;:()~'\"]{1,4}[가-힣])+")
_SYMBOLS = re.compile(r"[^\w\s]+")
_MARKS = re.compile(r" *(?:[^\w ]|_)[\W_]*| {2,}")  # a single space stays as it is
_SYLLABLES_APART = re.compile(r"(?<![가-힣])[가-힣](?:[ .?][가-힣](?![가-힣])){2,}")
_DIGITS_BETWEEN = re.compile(r"(?<![가-힣0-9a-z])[가-힣](?:[0-9a-z]{1,2}[가-힣](?![가-힣])){2,}")
_DIGITS = re.compile("[0-9a-z]+")
_REPEATED = re.compile(r"(.)\1{2,}")
_APART = re.compile("[ .?]")

#: Initial consonants in the order of Unicode, and the code of the same consonant as a final one (0: there is none).
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_AS_FINAL = (1, 2, 4, 7, 0, 8, 16, 17, 0, 19, 20, 21, 22, 0, 23, 24, 25, 26, 27)
_TO_COMPATIBILITY = {0x1100 + at: letter for at, letter in enumerate(_INITIALS)} | {
    0x1161 + at: chr(0x314F + at) for at in range(21)
}


def normal_texts(texts: Sequence[str | None]) -> list[str]:
    """Return the normal form of each text, which can be encoded as UTF-8. None has the form ""."""
    return [normal_text(text).encode(errors="replace").decode() if text else "" for text in texts]


def normal_text(text: str) -> str:
    """Return a text in the form that rules match.

    The form has Hangul syllables, letters in lower case, digits, and single marks between them: "?" or "." for the end
    of a sentence, else a space. Loose letters are joined to syllables (ㅈㅏ -> 자). Marks inside a word whose syllables
    stand alone are removed (죽.고.싶.다 -> 죽고싶다). Characters that repeat three times or more are written once.
    The time is linear in the length of the text.
    """
    if not text.isascii():
        text = _INVISIBLE.sub("", _LONG_RUN.sub(r"\1", text))
        if _COMPATIBILITY_LETTER.search(text):
            text = _LETTERS_APART.sub(lambda found: _NOT_A_LETTER.sub("", found[0]), text)
            text = _LAUGHTER.sub(" ", text)
        text = unicodedata.normalize("NFKC", text)
        if _LOOSE.search(text):
            text = _LOOSE_FINAL.sub(_with_final, text).translate(_TO_COMPATIBILITY)
            text = _LETTER_BETWEEN.sub("", text)
        text = _SYMBOLS_BETWEEN.sub(lambda found: _SYMBOLS.sub("", found[0]), text)
    text = _MARKS.sub(_one_mark, text.lower())
    text = _SYLLABLES_APART.sub(lambda found: _APART.sub("", found[0]), text)
    text = _DIGITS_BETWEEN.sub(lambda found: _DIGITS.sub("", found[0]), text)
    return _REPEATED.sub(r"\1", text)


def _with_final(found: re.Match[str]) -> str:
    """Return a syllable with the loose consonant after it as its final consonant, where that is possible."""
    syllable, final = ord(found[1]), _AS_FINAL[ord(found[2]) - 0x1100]
    return chr(syllable + final) if final and not (syllable - 0xAC00) % 28 else found[0]


def _one_mark(found: re.Match[str]) -> str:
    """Return the mark that a run of marks is replaced by."""
    marks = found[0]
    if "?" in marks:
        return "?"
    return "." if any(mark in marks for mark in ".!;:…\n。") else " "
