"""Personal data that is written in digits, told by the sizes of their groups, their prefixes and their check digits.

Sources: the resident registration number's check digit and its end in October 2020 (주민등록법 시행규칙), the business
registration number's (국세청), ISO/IEC 7812 for cards (Luhn), the numbering plan of Korea's telephones (ITU-T E.164,
national annex), and the banks' own descriptions of their account numbers.
"""

from __future__ import annotations

import datetime

import numpy as np

from pipeline.pii.folding import Mask, has, sizes
from pipeline.pii.groups import (
    BRACKET,
    COMMA,
    DASH,
    DOT,
    LINE,
    SLASH,
    SPACE,
    SPOKEN,
    Groups,
    Numbers,
    Rows,
)
from pipeline.pii.spans import Spans
from schemas.pii import ACCOUNT, BUSINESS, CARD, FOREIGNER, LICENCE, PASSPORT, PHONE, RESIDENT

_NEAR = 24  # characters in which a word tells what a number is

# What a number is of that is of no person, right before it.
_THING = (
    r"(?i)(?:(?:주문|배송|승인|예약|접수|상품|제품|품목|관리|일련|시리얼|모델|쿠폰|증권|참조|거래|결제|영수증|등기|사건|문서|회차"
    r"|당첨|추적|조회|발행|발주|재고|자재|부품|티켓|바우처|포인트|사번|학번|고객|회원|문의|order|tracking|item)"
    r"\s*(?:번호|코드|넘버|no\.?|id|number)"
    r"|송장(?:번호)?|바코드|모델명|품번|시리얼|isbn|s/?n|imei|코드)\s*[은는이가도:#=(\[]*\s*$"
)
_RESIDENT = r"(?i)주민|등록\s*번호|외국인|민증|신분증|rrn"
_LICENCE = "면허"
_BUSINESS = "사업자"
_PASSPORT = "(?i)여권|passport"
_LICENSING = (
    r"((?:서울|부산|경기|강원|충북|충남|전북|전남|경북|경남|제주|대구|인천|광주|대전|울산)(?:남부|북부)?[\s-]{0,2})$"
)
_TELEPHONE = r"(?i)(?:^|[^a-z])(?:tel|hp|h\.?p|phone|mobile|cell|fax|ph|[thmcf])[.:]?\s?$"

_CLEAR = (
    "국민은행|신한은행|우리은행|하나은행|기업은행|제일은행|씨티은행|산업은행|부산은행|대구은행|광주은행|전북은행|경남은행"
    "|제주은행|수협은행|농협은행|저축은행|KB국민|국민|신한|KEB하나|NH농협|농협|IBK기업|IBK|SC제일|씨티|SH수협|수협|우체국"
    "|새마을금고|새마을|신협|카카오뱅크|카뱅|토스뱅크|토뱅|케이뱅크|케뱅|K뱅크|KDB산업|iM뱅크|아이엠뱅크|BNK부산|BNK경남"
    "|단위농협|축협|산림조합|증권"
)
_DOUBTFUL = "우리|하나|기업|제일|산업|부산|대구|광주|전북|경남|제주|카카오|토스|케이|KB|NH|SC|SH|iM"
_BANK_BEFORE = (
    rf"(?i)(?:(?:{_CLEAR})[^0-9]{{0,12}}"
    rf"|(?:^|[\s(,./:\[])(?:{_DOUBTFUL})(?:은행|뱅크)?\s?(?:계좌|통장)?(?:번호)?[\s은는:)/(\]-]{{0,3}}"
    rf"|(?:계좌|입금|송금|이체|통장)[^0-9]{{0,12}})$"
)
_BANK_BEHIND = (
    rf"(?i)^(?:[\s(,/\[]{{0,3}}(?:(?:{_CLEAR})|(?:{_DOUBTFUL})(?:은행|뱅크|계좌|[),./\]]|이에요|예요|이요|요|입니다|으로|로|$))"
    r"|[^0-9]{0,4}(?:계좌|통장))"
)
_NO_BANK_BEFORE = r"(?:카드|소포|등기|택배|우편|보험)[^0-9]{0,12}$"
_NO_BANK_BEHIND = rf"(?i)^[\s(,/\[]{{0,3}}(?:{_CLEAR}|{_DOUBTFUL})\s?카드"

_FIRST_UNCHECKED = 201005  # born from here on, a resident has a number without a check digit


def find_numbers(groups: Groups, spans: Spans) -> None:
    """Find them all, the more certain ones first."""
    for find in (_residents, _licences, _cards, _phones, _businesses, _passports, _accounts):
        find(groups, spans)


def _add(groups: Groups, spans: Spans, kind: str, found: Numbers, back: int | Rows = 0) -> None:
    """back: characters before the first group that belong to it as well."""
    spans.add(kind, groups.starts[found.first] - back, groups.stops[found.first + found.groups - 1])


def _near(groups: Groups, found: Numbers, words: str, of: Mask | None = None, characters: int = _NEAR) -> Mask:
    """Which numbers have such words close before them. of: the only ones that are looked at; the others have none."""
    near = np.zeros(len(found.first), np.bool_)
    asked = np.arange(len(near)) if of is None else np.flatnonzero(of)
    if len(asked):
        near[asked] = has(groups.folded.before(groups.starts[found.first[asked]], characters), words)
    return near


def _is_lettered(groups: Groups, found: Numbers) -> Mask:
    """Which numbers touch a Latin letter, as codes do."""
    return _is_letter(groups.char_before(found.first)) | _is_letter(groups.char_behind(found.first + found.groups - 1))


def _is_letter(chars: np.typing.NDArray[np.uint16]) -> Mask:
    folded = chars | 0x20
    return (folded >= ord("a")) & (folded <= ord("z"))


def _weighed(found: Numbers, weights: tuple[int, ...]) -> Rows:
    """int64 [numbers]: the sum of the first digits, each times its weight."""
    weighed: Rows = found.digits[:, : len(weights)].astype(np.int64) @ np.array(weights)
    return weighed


# -- registration numbers ----------------------------------------------------------------------------------------------


def _residents(groups: Groups, spans: Spans) -> None:
    apart = groups.numbers(((6, 6), (7, 7)), DASH | SPACE | DOT)
    glued = groups.numbers(((13, 13),))
    for found, is_glued in ((apart, False), (glued, True)):
        found = found.of(_is_birthday(found) & ~_is_letter(groups.char_behind(found.first + found.groups - 1)))
        sex = found.digits[:, 6]
        weighed = _weighed(found, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11
        native = (sex >= 1) & (sex <= 4)
        foreign = (sex >= 5) & (sex <= 8)
        checked = found.digits[:, 12] == np.where(native, 11 - weighed, 13 - weighed) % 10
        year = datetime.date.today().year % 100
        young = (found.value(0, 6) >= _FIRST_UNCHECKED) & (found.value(0, 2) <= year) & np.isin(sex, (3, 4, 7, 8))
        good = checked | (young & ~_is_letter(groups.char_before(found.first)))
        good |= _near(groups, found, _RESIDENT, ~good)
        good &= ~_near(groups, found, _THING, good & is_glued)
        _add(groups, spans, RESIDENT, found.of(good & native))
        _add(groups, spans, FOREIGNER, found.of(good & foreign))
    hidden = groups.numbers(((6, 6), (1, 1)), DASH | SPACE)  # 900101-1******
    hidden = hidden.of(_is_birthday(hidden) & np.isin(groups.char_behind(hidden.first + 1), list(map(ord, "*xX●○"))))
    sex = hidden.digits[:, 6]
    _add(groups, spans, RESIDENT, hidden.of((sex >= 1) & (sex <= 4)))
    _add(groups, spans, FOREIGNER, hidden.of((sex >= 5) & (sex <= 8)))


def _is_birthday(found: Numbers) -> Mask:
    month, day = found.value(2, 4), found.value(4, 6)
    days = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    return (month >= 1) & (month <= 12) & (day >= 1) & (day <= days[np.clip(month, 0, 12)])


def _licences(groups: Groups, spans: Spans) -> None:
    found = groups.numbers(((2, 2), (2, 2), (6, 6), (2, 2)), DASH | SPACE | DOT, even=True)
    found = found.of((found.value(0, 2) >= 11) & (found.value(0, 2) <= 28) & ~_is_lettered(groups, found))
    thing = _near(groups, found, _THING)
    _add(groups, spans, LICENCE, found.of(~thing | _near(groups, found, _LICENCE, thing)))
    old = groups.numbers(((2, 2), (6, 6), (2, 2)), DASH | SPACE)
    back = sizes(groups.folded.before(groups.starts[old.first], 8).str.extract(_LICENSING))
    _add(groups, spans, LICENCE, old.of(back > 0), back[back > 0])
    for written in (((12, 12),), ((2, 2), (10, 10)), ((2, 2), (6, 6), (2, 2)), ((2, 2), (8, 8)), ((10, 10),)):
        glued = groups.numbers(written, DASH | SPACE)
        _add(groups, spans, LICENCE, glued.of(_near(groups, glued, _LICENCE)))


def _businesses(groups: Groups, spans: Spans) -> None:
    apart = groups.numbers(((3, 3), (2, 2), (5, 5)), DASH | SPACE | DOT, even=True)
    glued = groups.numbers(((10, 10),))
    for found, is_glued in ((apart, False), (glued, True)):
        found = found.of(~_is_lettered(groups, found))
        weighed = _weighed(found, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + found.digits[:, 8].astype(np.int64) * 5 // 10
        checked = found.digits[:, 9] == (10 - weighed % 10) % 10
        good = checked & (not is_glued)
        _add(groups, spans, BUSINESS, found.of(good | _near(groups, found, _BUSINESS, ~good)))


def _passports(groups: Groups, spans: Spans) -> None:
    for found in (groups.numbers(((8, 8),), alone=False), _split_by_letter(groups)):
        for spaces in (0, 1):
            letters = groups.starts[found.first] - 1 - spaces
            letter, before = (_chars_at(groups, letters - back) for back in (0, 1))
            good = np.isin(letter | 0x20, list(map(ord, "msrdgo"))) & ~_is_letter(before) & (before != ord("-"))
            good &= ~((before >= ord("0")) & (before <= ord("9")))
            good &= (groups.char_before(found.first) == ord(" ")) if spaces else True
            behind = groups.char_behind(found.first + found.groups - 1)
            some = found.of(good & ~_is_letter(behind) & (behind != ord("-")))
            told = ~has(groups.folded.before(groups.starts[some.first] - 1, _NEAR), _THING) & (spaces == 0)
            _add(groups, spans, PASSPORT, some.of(told | _near(groups, some, _PASSPORT, ~told)), back=1 + spaces)


def _chars_at(groups: Groups, places: Rows) -> np.typing.NDArray[np.uint16]:
    """The characters at some places; 0 before the first one."""
    return np.where(places >= 0, groups.folded.chars[np.maximum(places, 0)], 0).astype(np.uint16)


def _split_by_letter(groups: Groups) -> Numbers:
    """M123A4567 without its first letter."""
    first = np.flatnonzero((groups.sizes[:-1] == 3) & (groups.sizes[1:] == 4) & groups.tight[:-1])
    return groups.of(first[_is_letter(groups.char_behind(first))], 2)


# -- cards and accounts ------------------------------------------------------------------------------------------------


def _cards(groups: Groups, spans: Spans) -> None:
    marks = DASH | SPACE | DOT
    sixteen = (groups.numbers(((4, 4),) * 4, marks), groups.numbers(((16, 16),)))
    fifteen = (groups.numbers(((4, 4), (6, 6), (5, 5)), marks), groups.numbers(((15, 15),)))
    fourteen = (groups.numbers(((4, 4), (6, 6), (4, 4)), marks), groups.numbers(((14, 14),)))
    for length, all_found in ((16, sixteen), (15, fifteen), (14, fourteen)):
        for found in all_found:
            found = found.of(~_is_lettered(groups, found) & _is_luhn(found, length) & _is_issued(found, length))
            if found.groups == 1:
                found = found.of(~_near(groups, found, _THING))
            _add(groups, spans, CARD, found)


def _is_luhn(found: Numbers, length: int) -> Mask:
    digits = found.digits[:, :length].astype(np.int64)
    doubled = digits[:, length % 2 :: 2] * 2
    whole = digits.sum(1) - digits[:, length % 2 :: 2].sum(1) + (doubled - 9 * (doubled > 9)).sum(1)
    good: Mask = whole % 10 == 0
    return good


def _is_issued(found: Numbers, length: int) -> Mask:
    """Whether a card's number may begin so."""
    first, two = found.digits[:, 0], found.value(0, 2)
    if length == 16:
        return np.isin(first, (2, 3, 4, 5, 6, 9))
    return np.isin(two, (34, 37)) if length == 15 else np.isin(two, (30, 36, 38, 39))


def _accounts(groups: Groups, spans: Spans) -> None:
    begins, counts = groups.chains(DASH)
    sizes = groups.sums(begins, counts)
    begins, counts = (one[(sizes >= 10) & (sizes <= 14)] for one in (begins, counts))
    for count in (1, 2, 3, 4, 5):
        _add_accounts(groups, spans, groups.of(begins[counts == count], count))
    for count in (2, 3, 4):  # with spaces, only right behind a bank's name
        found = groups.numbers(((2, 8),) * count, SPACE)
        _add_accounts(groups, spans, found, behind=False)


def _add_accounts(groups: Groups, spans: Spans, found: Numbers, behind: bool = True) -> None:
    """behind: whether a bank's name may stand behind the number, too."""
    found = found.of((found.size >= 10) & (found.size <= 14) & ~_is_lettered(groups, found))
    found = found.of(spans.free(groups.starts[found.first], groups.stops[found.first + found.groups - 1]))
    if found.groups == 1:
        found = found.of(~_is_moment(found))
    if not len(found.first):
        return
    before = groups.folded.before(groups.starts[found.first], _NEAR)
    told = has(before, _BANK_BEFORE) & ~has(before, _NO_BANK_BEFORE)
    if behind:
        texts = groups.folded.behind(groups.stops[found.first + found.groups - 1], _NEAR)
        told |= has(texts, _BANK_BEHIND) & ~has(texts, _NO_BANK_BEHIND)
    _add(groups, spans, ACCOUNT, found.of(told & ~has(before, _THING)))


def _is_moment(found: Numbers) -> Mask:
    """Whether it is rather a time: 202405011230, 20240501123000."""
    year, month, day, hour = (found.value(*place) for place in ((0, 4), (4, 6), (6, 8), (8, 10)))
    in_range = (year >= 1990) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24)
    return in_range & np.isin(found.size, (10, 12, 14))


# -- telephones --------------------------------------------------------------------------------------------------------


def _phones(groups: Groups, spans: Spans) -> None:
    _abroad(groups, spans)
    mobile = DASH | SPACE | DOT | BRACKET | SLASH | COMMA | LINE | SPOKEN
    fixed = DASH | SPACE | DOT | BRACKET
    begun = groups.begin_with("010", "011", "016", "017", "018", "019")
    for written, gaps in (
        (((3, 3), (3, 4), (4, 4)), mobile),
        (((3, 3), (7, 8)), mobile),
        (((6, 7), (4, 4)), mobile),
        (((10, 11),), 0),
    ):
        _add_phones(groups, spans, groups.numbers(written, gaps, among=begun))
    begun = groups.begin_with("0")
    for written in (
        ((2, 4), (3, 4), (4, 4)),
        ((2, 4), (7, 8)),
        ((9, 12),),
    ):
        found = groups.numbers(written, fixed, among=begun)
        code = groups.sizes[found.first] if found.groups > 1 else _code_size(found)
        rest = found.size - code
        fits = (code == _code_size(found)) & (rest >= 7) & (rest <= 8)
        _add_phones(groups, spans, found.of(fits))


def _code_size(found: Numbers) -> Rows:
    """Digits of the area code or service that a number begins with; 0 where it begins with none."""
    two, three, four = found.value(0, 2), found.value(0, 3), found.value(0, 4)
    area = ((three >= 31) & (three <= 33)) | ((three >= 41) & (three <= 44)) | ((three >= 51) & (three <= 55))
    area |= ((three >= 61) & (three <= 64)) | (three == 70)
    personal = (((four >= 500) & (four <= 509)) | (four == 303)) & (found.digits[:, 0] == 0)
    zero = found.digits[:, 0] == 0
    return np.where(personal, 4, np.where(zero & area, 3, np.where(zero & (two == 2), 2, 0)))


def _add_phones(groups: Groups, spans: Spans, found: Numbers) -> None:
    before = _is_letter(groups.char_before(found.first))
    behind = _is_letter(groups.char_behind(found.first + found.groups - 1))
    good = ~behind | (found.groups == 3)
    good &= ~before | _near(groups, found, _TELEPHONE, before, 8)
    good &= ~_near(groups, found, _THING, good & (found.groups == 1))
    found = found.of(good)
    bracket = (groups.gaps[found.first] & BRACKET != 0) & (groups.char_before(found.first) == ord("("))
    _add(groups, spans, PHONE, found, back=bracket.astype(np.int64) * (found.groups > 1))


def _abroad(groups: Groups, spans: Spans) -> None:
    """+82 10-1234-5678, and how else the country stands before a number."""
    gaps = DASH | SPACE | DOT | BRACKET
    begun = groups.begin_with("82", "0082")
    for count in (5, 4, 3, 2, 1):
        found = groups.numbers(((1, 15),) * count, gaps, among=begun)
        found = found.of((found.size >= 10) & (found.size <= 15) & ~_is_letter(groups.char_before(found.first)))
        plus = groups.char_before(found.first) == ord("+")
        dialled = (found.value(0, 4) == 82) & ~plus  # 0082
        digits = np.where(dialled[:, None], np.roll(found.digits, -2, 1), found.digits)
        size = found.size - 2 * dialled
        country = digits[:, 0].astype(np.int64) * 10 + digits[:, 1] == 82
        trunk = digits[:, 2] == 0  # +82 (0)10
        digits = np.where(trunk[:, None], np.roll(digits, -1, 1), digits)
        inland = Numbers(found.first, count, digits, size - 2 - trunk)
        third = digits[:, 2]
        mobile = np.isin(inland.value(2, 4), (10, 11, 16, 17, 18, 19)) & (inland.size >= 9) & (inland.size <= 10)
        fixed = (third >= 2) & (third <= 7) & (inland.size >= 8) & (inland.size <= 10)
        good = country & (((plus | dialled) & (mobile | fixed)) | (mobile & ((count > 1) | (found.size == 12))))
        found, plus = found.of(good), plus[good]
        _add(groups, spans, PHONE, found.of(plus), back=1)
        _add(groups, spans, PHONE, found.of(~plus & ~_near(groups, found, _THING)))
