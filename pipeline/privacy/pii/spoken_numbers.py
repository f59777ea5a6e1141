"""Numbers in words, as in what was dictated or transcribed: 공일공 일이삼사 오육칠팔.

A word may end in what sounds like a digit and begin with it (사이, 이쪽), so digits count from the beginning of a run,
and a lone one at its end that begins a word does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from emojob.pipeline.privacy.pii.check_digits import code_size, is_card, is_native, is_registration, may_be_registration
from emojob.pipeline.privacy.pii.digit_groups import LONGEST, NO_DIGIT, Numbers
from emojob.pipeline.privacy.pii.normalize import Folded, Mask, Places, among, has
from emojob.pipeline.privacy.pii.phones import MOBILE
from emojob.pipeline.privacy.pii.scan import NEAR, THING
from emojob.pipeline.privacy.pii.spans import Spans
from emojob.schemas.pii import CARD, FOREIGNER, PHONE, RESIDENT

_VALUES = dict(zip("공영빵일이삼사오육륙칠팔구둘", "00012345667892", strict=True)) | {
    digit: digit for digit in "0123456789"
}
_SAID = "공영빵일이삼사오육륙칠팔구둘"
_ANY = _SAID + "0123456789"
_PAUSE = r"(?:\s?(?:에|다시|의|하고)\s?|[\s.,-]{1,3})"
_RUN = re.compile(rf"[{_ANY}](?:{_PAUSE}?[{_ANY}]){{8,}}")
_FAR, _FEWEST, _FEWEST_SAID = 16, 6, 3  # characters from the first digit on; digits among them, and those in words
_WIDTH = 96  # characters of the longest run

_REGISTERED = r"주민|등록|외국인|민증"
_NO_TELEPHONE = r"(?:비밀|인증|승인|주문|접수|예약)\s?번호"


@dataclass(frozen=True)
class _Run:
    """Digits in words. at: where it begins; places: where each digit stands; begins: whether a pause is before it."""

    at: int
    digits: str
    places: list[int]


def find_spoken(folded: Folded, spans: Spans) -> None:
    """Registration numbers, cards and telephones in words."""
    runs = [run for at, text in zip(*_candidates(folded), strict=True) if (run := _run(at, text)) is not None]
    if not runs:
        return
    at = np.array([run.at for run in runs])
    before = folded.before(at, NEAR)
    found = _numbers(runs)
    registered = is_registration(found) | (may_be_registration(found) & has(before, _REGISTERED))
    registered &= (found.size >= 13) & (found.size <= 14)
    cards = (found.size >= 16) & (found.size <= 17) & is_card(found, 16)
    sizes = np.where(registered, 13, np.where(cards, 16, _phone_sizes(runs, found)))
    sizes = np.where(~registered & ~cards & (has(before, THING) | has(before, _NO_TELEPHONE)), 0, sizes)
    ends = np.array([run.places[size - 1] + 1 if size else 0 for run, size in zip(runs, sizes.tolist(), strict=True)])
    native = is_native(found)
    for kind, chosen in (
        (RESIDENT, registered & native),
        (FOREIGNER, registered & ~native),
        (CARD, cards & ~registered),
        (PHONE, ~registered & ~cards & (sizes > 0)),
    ):
        spans.add(kind, at[chosen], ends[chosen])


def _candidates(folded: Folded) -> tuple[list[int], list[str]]:
    """Where a run of digits in words may begin, and the text from there on."""
    said, digits = (np.flatnonzero(among(folded.chars, some)) for some in (_SAID, _ANY))
    at = digits[np.diff(digits, prepend=-2) > 1]  # not in the middle of a group
    at = at[(_in_reach(at, said) >= _FEWEST_SAID) & (_in_reach(at, digits) >= _FEWEST)]
    texts = folded.behind(at, _WIDTH)
    before = folded.before(at, 8)
    lone = rf"(?:^|[^{_ANY}])(?:[{_ANY}]{_PAUSE})?$"  # at most one digit that may be a word's is before it
    good = has(before, lone)
    return at[good].tolist(), texts.filter(good).to_list()


def _in_reach(at: Places, places: Places) -> Places:
    """How many of some places are near behind each one that is asked for."""
    return np.searchsorted(places, at + _FAR) - np.searchsorted(places, at)


def _run(at: int, text: str) -> _Run | None:
    match = _RUN.match(text)
    if match is None:
        return None
    places = [place for place, char in enumerate(match[0]) if char in _VALUES]
    end = match.end()
    lone = places[-1] - places[-2] > 1
    if lone and text[end : end + 1] >= "가" and text[places[-1]] in _SAID:  # 공일공 ... 이쪽으로
        places.pop()
    digits = "".join(_VALUES[text[place]] for place in places)
    return _Run(at, digits, [at + place for place in places])


def _numbers(runs: list[_Run]) -> Numbers:
    digits = np.full((len(runs), LONGEST), NO_DIGIT, np.uint8)
    for row, run in enumerate(runs):
        some = run.digits[:LONGEST]
        digits[row, : len(some)] = list(map(int, some))
    size = np.array([len(run.digits) for run in runs])
    return Numbers(np.arange(len(runs)), 1, digits, size)


def _phone_sizes(runs: list[_Run], found: Numbers) -> Places:
    """Digits of the telephone number that each run begins with; 0 where it is none. One digit more may be a word's."""
    mobile = np.array([run.digits.startswith(MOBILE) for run in runs], np.bool_)
    code = np.where(mobile, 3, code_size(found))
    rest = found.size - code
    whole = np.where(rest >= 8, code + 8, code + 7)
    fits: Mask = (code > 0) & (rest >= 7) & (rest <= 9)
    return np.where(fits, whole, 0)
