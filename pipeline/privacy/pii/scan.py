"""Defines `Scan`, the common state of the functions that find personal data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.privacy.pii.digit_groups import DigitGroups, Ints, Numbers
from emojob.pipeline.privacy.pii.normalize import Mask, matches
from emojob.pipeline.privacy.pii.spans import Spans

#: How many characters before or after a number are searched for words such as 계좌.
NEAR = 24

#: Regular expression for words such as 주문번호. A number after such a word is not personal data.
NOT_PERSONAL = (
    r"(?i)(?:(?:주문|배송|승인|예약|접수|상품|제품|품목|관리|일련|시리얼|모델|쿠폰|증권|참조|거래|결제|영수증|등기|사건|문서|회차"
    r"|당첨|추적|조회|발행|발주|재고|자재|부품|티켓|바우처|포인트|사번|학번|고객|회원|문의|order|tracking|item)"
    r"\s*(?:번호|코드|넘버|no\.?|id|number)"
    r"|송장(?:번호)?|바코드|ean(?:-?13)?|gtin|모델명|품번|시리얼|isbn|s/?n|imei|코드)\s*[은는이가도:#=(\[]*\s*$"
)


class Scan:
    """The common state of the functions that find personal data.

    Attributes:
        groups: Groups of digits in the texts.
        normalized: The normalized texts.
        spans: Spans of the personal data that the functions have found.
    """

    def __init__(self, groups: DigitGroups, spans: Spans) -> None:
        self.groups, self.normalized, self.spans = groups, groups.normalized, spans

    def add(self, kind: str, found: Numbers, back: int | Ints = 0) -> None:
        """Add the numbers to `spans`. Numbers that overlap an existing span are skipped.

        Args:
            kind: Kind of personal data, from `schemas.pii.KINDS`.
            found: The numbers.
            back: How many characters before each number to include, such as 1 for the + in +82.
        """
        self.spans.add(kind, self.starts(found) - back, self.stops(found))

    def starts(self, found: Numbers) -> Ints:
        """Return the position of the first digit of each number. int64 [numbers]."""
        return self.groups.starts[found.first]

    def stops(self, found: Numbers) -> Ints:
        """Return the position after the last digit of each number. int64 [numbers]."""
        return self.groups.stops[found.first + found.groups - 1]

    def free(self, found: Numbers) -> Mask:
        """Return True for each number that overlaps no span in `spans`. bool [numbers]."""
        return self.spans.free(self.starts(found), self.stops(found))

    def near(self, found: Numbers, words: str, only: Mask | None = None, characters: int = NEAR) -> Mask:
        """Search the text before each number for `words`, and return whether there is a match. bool [numbers].

        Args:
            found: The numbers.
            words: Regular expression.
            only: bool [numbers], true for each number to test. If None, all numbers are tested. The result for a
                number that is not tested is False.
            characters: How many characters before each number are searched.
        """
        near = np.zeros(len(found.first), np.bool_)
        asked = np.arange(len(near)) if only is None else np.flatnonzero(only)
        if len(asked):
            near[asked] = matches(self.normalized.before(self.groups.starts[found.first[asked]], characters), words)
        return near

    def named(self, found: Numbers, words: str, only: Mask | None = None) -> Mask:
        """Search the text before and after each number for `words`. Return True if there is a match. bool [numbers].

        Example: in "880101-1234567이 제 주민번호예요", the word 주민번호 after the number matches.

        Args:
            found: The numbers.
            words: Regular expression.
            only: Whether to test each number, as in `near`.
        """
        named = self.near(found, words, only)
        rest = ~named if only is None else only & ~named
        asked = np.flatnonzero(rest & ~self.near(found, NOT_PERSONAL, rest))
        if len(asked):
            after = self.normalized.after(self.stops(found)[asked], NEAR)
            named[asked] = matches(after, rf"^(?:[이가은는]|번)?\s{{0,2}}(?:(?:제|내|저희)\s?)?(?:{words})")
        return named

    def before(self, found: Numbers) -> NDArray[np.uint16]:
        """Return the code point before each number. uint16 [numbers]."""
        return self.groups.char_before(found.first)

    def after(self, found: Numbers) -> NDArray[np.uint16]:
        """Return the code point after each number. uint16 [numbers]."""
        return self.groups.char_after(found.first + found.groups - 1)

    def is_lettered(self, found: Numbers) -> Mask:
        """Return whether a Latin letter is directly before or after each number, as in AB1234. bool [numbers]."""
        return is_letter(self.before(found)) | is_letter(self.after(found))


def is_letter(chars: NDArray[np.uint16]) -> Mask:
    """Return whether each code point is a Latin letter. bool [chars]."""
    normalized = chars | 0x20
    return (normalized >= ord("a")) & (normalized <= ord("z"))
