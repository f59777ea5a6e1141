"""Finds phone numbers that are written in digits: mobile, landline and international (+82) numbers."""

from __future__ import annotations

import numpy as np

from emojob.pipeline.privacy.pii.check_digits import code_size
from emojob.pipeline.privacy.pii.digit_groups import BRACKET, COMMA, DASH, DOT, LINE, SLASH, SPACE, SPOKEN, Numbers
from emojob.pipeline.privacy.pii.scan import NOT_PERSONAL, Scan, is_letter
from emojob.schemas.pii import PHONE

MOBILE = ("010", "011", "016", "017", "018", "019")

_TELEPHONE = r"(?i)(?:^|[^a-z])(?:tel|hp|h\.?p|phone|mobile|cell|fax|ph|[thmcf])[.:]?\s?$"
_CALLED = r"(?:연락처|(?:휴대)?전화|핸드폰|휴대폰|폰\s?번호)\s?(?:번호)?\s?[은는이가도]?\s?[:=]?\s?$"
_SERVICES = (15, 16, 18)  # first two digits of business phone numbers (1588-1234)


def find_phones(scan: Scan) -> None:
    """Add phone numbers to `scan.spans`.

    - Mobile number: every separator in `digit_groups` is allowed (010/1234/5678).
    - Landline number: the area code must be known (02-123-4567).
    - Landline number without area code: a word such as 연락처 must be directly before the number.
    """
    _find_international(scan)
    anything = DASH | SPACE | DOT | BRACKET | SLASH | COMMA | LINE | SPOKEN
    candidates = scan.groups.begin_with(*MOBILE)
    for shape in (((3, 3), (3, 4), (4, 4)), ((3, 3), (7, 8)), ((6, 7), (4, 4)), ((10, 11),)):
        _add(scan, scan.groups.numbers(shape, anything, may_begin=candidates))
    candidates = scan.groups.begin_with("0")
    for shape in (((2, 4), (3, 4), (4, 4)), ((2, 4), (7, 8)), ((9, 12),)):
        found = scan.groups.numbers(shape, DASH | SPACE | DOT | BRACKET, may_begin=candidates)
        code, size = code_size(found), scan.groups.lengths[found.first]
        # The first group is the area code (0504-123-4567), or three digits of a four-digit area code (050-4123-4567).
        apart = (size == code) | ((size == 3) & (code == 4))
        rest = found.size - code
        _add(scan, found.select((code > 0) & (apart | (found.groups == 1)) & (rest >= 7) & (rest <= 8)))
    local = scan.groups.numbers(((3, 4), (4, 4)), DASH)
    local = local.select(~((local.size == 8) & np.isin(local.value(0, 2), _SERVICES)) & ~scan.is_lettered(local))
    scan.add(PHONE, local.select(scan.near(local, _CALLED)))


def _add(scan: Scan, found: Numbers) -> None:
    """Add the numbers to `scan.spans`, except product codes (AB0101234567) and order numbers (주문번호 …)."""
    before = is_letter(scan.before(found))
    good = ~is_letter(scan.after(found)) | (found.groups == 3)
    good &= ~before | scan.near(found, _TELEPHONE, before, 8)
    good &= ~scan.near(found, NOT_PERSONAL, good & (found.groups == 1))
    found = found.select(good)
    bracket = (scan.groups.gaps[found.first] & BRACKET != 0) & (scan.before(found) == ord("("))
    scan.add(PHONE, found, back=bracket.astype(np.int64) * (found.groups > 1))


def _find_international(scan: Scan) -> None:
    """Add phone numbers with country code to `scan.spans`.

    Examples: +82 10-1234-5678, 0082 10-1234-5678, 821012345678.
    """
    gaps = DASH | SPACE | DOT | BRACKET
    candidates = scan.groups.begin_with("82", "0082")
    for count in (5, 4, 3, 2, 1):
        found = scan.groups.numbers(((1, 15),) * count, gaps, may_begin=candidates)
        found = found.select((found.size >= 10) & (found.size <= 15) & ~is_letter(scan.before(found)))
        plus = scan.before(found) == ord("+")
        dialled = (found.value(0, 4) == 82) & ~plus  # the first four digits are 0082
        digits = np.where(dialled[:, None], np.roll(found.digits, -2, 1), found.digits)
        size = found.size - 2 * dialled
        country = digits[:, 0].astype(np.int64) * 10 + digits[:, 1] == 82
        trunk = digits[:, 2] == 0  # 0 after the country code: +82 (0)10
        digits = np.where(trunk[:, None], np.roll(digits, -1, 1), digits)
        inland = Numbers(found.first, count, digits, size - 2 - trunk)
        third = digits[:, 2]
        mobile = np.isin(inland.value(2, 4), (10, 11, 16, 17, 18, 19)) & (inland.size >= 9) & (inland.size <= 10)
        fixed = (third >= 2) & (third <= 7) & (inland.size >= 8) & (inland.size <= 10)
        good = country & (((plus | dialled) & (mobile | fixed)) | (mobile & ((count > 1) | (found.size == 12))))
        found, plus = found.select(good), plus[good]
        scan.add(PHONE, found.select(plus), back=1)
        scan.add(PHONE, found.select(~plus & ~scan.near(found, NOT_PERSONAL)))
