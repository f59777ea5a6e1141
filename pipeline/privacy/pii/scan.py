"""Numbers in folded texts as they are looked for: what is found so far, and what stands around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.privacy.pii.digit_groups import Groups, Numbers, Rows
from emojob.pipeline.privacy.pii.normalize import Mask, has
from emojob.pipeline.privacy.pii.spans import Spans

#: Characters in which a word tells what a number is.
NEAR = 24

# What a number is of that is of no person, right before it.
THING = (
    r"(?i)(?:(?:주문|배송|승인|예약|접수|상품|제품|품목|관리|일련|시리얼|모델|쿠폰|증권|참조|거래|결제|영수증|등기|사건|문서|회차"
    r"|당첨|추적|조회|발행|발주|재고|자재|부품|티켓|바우처|포인트|사번|학번|고객|회원|문의|order|tracking|item)"
    r"\s*(?:번호|코드|넘버|no\.?|id|number)"
    r"|송장(?:번호)?|바코드|ean(?:-?13)?|gtin|모델명|품번|시리얼|isbn|s/?n|imei|코드)\s*[은는이가도:#=(\[]*\s*$"
)


class Scan:
    """Folded texts whose numbers are looked at, and what was found in them."""

    def __init__(self, groups: Groups, spans: Spans) -> None:
        self.groups, self.folded, self.spans = groups, groups.folded, spans

    def add(self, kind: str, found: Numbers, back: int | Rows = 0) -> None:
        """Take numbers for what they are. back: characters before the first group that belong to it as well."""
        self.spans.add(kind, self.starts(found) - back, self.stops(found))

    def starts(self, found: Numbers) -> Rows:
        """Where numbers begin."""
        return self.groups.starts[found.first]

    def stops(self, found: Numbers) -> Rows:
        """Where they end."""
        return self.groups.stops[found.first + found.groups - 1]

    def free(self, found: Numbers) -> Mask:
        """Which are nothing that was found already."""
        return self.spans.free(self.starts(found), self.stops(found))

    def near(self, found: Numbers, words: str, of: Mask | None = None, characters: int = NEAR) -> Mask:
        """Which have such words close before them. of: the only ones that are looked at; the others have none."""
        near = np.zeros(len(found.first), np.bool_)
        asked = np.arange(len(near)) if of is None else np.flatnonzero(of)
        if len(asked):
            near[asked] = has(self.folded.before(self.groups.starts[found.first[asked]], characters), words)
        return near

    def named(self, found: Numbers, words: str, of: Mask | None = None) -> Mask:
        """As `near`, or which are called so right behind: 880101-1234567이 제 주민번호예요."""
        named = self.near(found, words, of)
        rest = ~named if of is None else of & ~named
        asked = np.flatnonzero(rest & ~self.near(found, THING, rest))
        if len(asked):
            behind = self.folded.behind(self.stops(found)[asked], NEAR)
            named[asked] = has(behind, rf"^(?:[이가은는]|번)?\s{{0,2}}(?:(?:제|내|저희)\s?)?(?:{words})")
        return named

    def before(self, found: Numbers) -> NDArray[np.uint16]:
        """The character before each."""
        return self.groups.char_before(found.first)

    def behind(self, found: Numbers) -> NDArray[np.uint16]:
        """The character behind each."""
        return self.groups.char_behind(found.first + found.groups - 1)

    def is_lettered(self, found: Numbers) -> Mask:
        """Which touch a Latin letter, as codes do."""
        return is_letter(self.before(found)) | is_letter(self.behind(found))


def is_letter(chars: NDArray[np.uint16]) -> Mask:
    """Which characters are Latin letters."""
    folded = chars | 0x20
    return (folded >= ord("a")) & (folded <= ord("z"))
