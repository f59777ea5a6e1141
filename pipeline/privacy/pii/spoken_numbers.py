"""Finds numbers that are written in digit words, as in transcribed speech: 공일공 일이삼사 오육칠팔.

A digit run is a sequence of digit words and digits. The last digit word is removed if the digit word may begin an
ordinary word. Example: the last 이 in 공일공 일이삼사 오육칠팔 이쪽으로.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from emojob.pipeline.privacy.pii.check_digits import code_size, is_card, is_native, is_registration, may_be_registration
from emojob.pipeline.privacy.pii.digit_groups import LONGEST, NO_DIGIT, Numbers
from emojob.pipeline.privacy.pii.normalize import Mask, NormalizedTexts, Positions, is_any_of, matches
from emojob.pipeline.privacy.pii.phones import MOBILE
from emojob.pipeline.privacy.pii.scan import NEAR, NOT_PERSONAL
from emojob.pipeline.privacy.pii.spans import Spans
from emojob.schemas.pii import CARD, FOREIGNER, PHONE, RESIDENT

_VALUES = dict(zip("공영빵일이삼사오육륙칠팔구둘", "00012345667892", strict=True)) | {
    digit: digit for digit in "0123456789"
}
_SAID = "공영빵일이삼사오육륙칠팔구둘"
_ANY = _SAID + "0123456789"
_PAUSE = r"(?:\s?(?:에|다시|의|하고)\s?|[\s.,-]{1,3})"
_RUN = re.compile(rf"[{_ANY}](?:{_PAUSE}?[{_ANY}]){{8,}}")
# The first _FAR characters of a digit run must contain at least _FEWEST digits or digit words (공).
# At least _FEWEST_SAID must be digit words.
_FAR, _FEWEST, _FEWEST_SAID = 16, 6, 3
_WIDTH = 96  # maximum number of characters in a digit run

_REGISTERED = r"주민|등록|외국인|민증"
_NO_TELEPHONE = r"(?:비밀|인증|승인|주문|접수|예약)\s?번호"


@dataclass(frozen=True)
class _Run:
    """A digit run: a sequence of digit words and digits.

    Attributes:
        at: Position of the first character.
        digits: The digits, for example "01012345678".
        positions: Position of each digit.
    """

    at: int
    digits: str
    positions: list[int]


def find_spoken(normalized: NormalizedTexts, spans: Spans) -> None:
    """Add the spans of resident registration numbers, card numbers and phone numbers in digit words to `spans`."""
    runs = [run for at, text in zip(*_candidates(normalized), strict=True) if (run := _run(at, text)) is not None]
    if not runs:
        return
    at = np.array([run.at for run in runs])
    before = normalized.before(at, NEAR)
    found = _numbers(runs)
    registered = is_registration(found) | (may_be_registration(found) & matches(before, _REGISTERED))
    registered &= (found.size >= 13) & (found.size <= 14)
    cards = (found.size >= 16) & (found.size <= 17) & is_card(found, 16)
    lengths = np.where(registered, 13, np.where(cards, 16, _phone_sizes(runs, found)))
    not_phones = ~registered & ~cards & (matches(before, NOT_PERSONAL) | matches(before, _NO_TELEPHONE))
    lengths = np.where(not_phones, 0, lengths)
    ends = np.array([run.positions[n - 1] + 1 if n else 0 for run, n in zip(runs, lengths.tolist(), strict=True)])
    native = is_native(found)
    for kind, chosen in (
        (RESIDENT, registered & native),
        (FOREIGNER, registered & ~native),
        (CARD, cards & ~registered),
        (PHONE, ~registered & ~cards & (ends > 0)),
    ):
        spans.add(kind, at[chosen], ends[chosen])


def _candidates(normalized: NormalizedTexts) -> tuple[list[int], list[str]]:
    """Return (positions, texts): where a digit run may begin, and the text that begins at each position."""
    said, digits = (np.flatnonzero(is_any_of(normalized.chars, some)) for some in (_SAID, _ANY))
    at = digits[np.diff(digits, prepend=-2) > 1]  # first digit of each digit sequence
    at = at[(_in_reach(at, said) >= _FEWEST_SAID) & (_in_reach(at, digits) >= _FEWEST)]
    texts = normalized.after(at, _WIDTH)
    before = normalized.before(at, 8)
    # One digit word before the digit run is allowed, because an ordinary word may end like a digit word.
    # Example: 일 of 내일 in 내일 공일공 일이삼사 오육칠팔.
    lone = rf"(?:^|[^{_ANY}])(?:[{_ANY}]{_PAUSE})?$"
    good = matches(before, lone)
    return at[good].tolist(), texts.filter(good).to_list()


def _in_reach(at: Positions, positions: Positions) -> Positions:
    """For each position p in `at`, count the `positions` from p to p + _FAR - 1. int64 [at]."""
    return np.searchsorted(positions, at + _FAR) - np.searchsorted(positions, at)


def _run(at: int, text: str) -> _Run | None:
    match = _RUN.match(text)
    if match is None:
        return None
    positions = [i for i, char in enumerate(match[0]) if char in _VALUES]
    end = match.end()
    lone = positions[-1] - positions[-2] > 1
    # In 공일공 일이삼사 오육칠팔 이쪽으로, the last 이 belongs to 이쪽으로.
    if lone and text[end : end + 1] >= "가" and text[positions[-1]] in _SAID:
        positions.pop()
    digits = "".join(_VALUES[text[i]] for i in positions)
    return _Run(at, digits, [at + i for i in positions])


def _numbers(runs: list[_Run]) -> Numbers:
    digits = np.full((len(runs), LONGEST), NO_DIGIT, np.uint8)
    for row, run in enumerate(runs):
        some = run.digits[:LONGEST]
        digits[row, : len(some)] = list(map(int, some))
    size = np.array([len(run.digits) for run in runs])
    return Numbers(np.arange(len(runs)), 1, digits, size)


def _phone_sizes(runs: list[_Run], found: Numbers) -> Positions:
    """Return the number of digits of the phone number at the beginning of each digit run; 0 if there is none.

    After the phone number, a digit run may contain one more digit: 이 of 이에요 in 공일공 일이삼사 오육칠팔이에요.
    """
    mobile = np.array([run.digits.startswith(MOBILE) for run in runs], np.bool_)
    code = np.where(mobile, 3, code_size(found))
    rest = found.size - code
    whole = np.where(rest >= 8, code + 8, code + 7)
    fits: Mask = (code > 0) & (rest >= 7) & (rest <= 9)
    return np.where(fits, whole, 0)
