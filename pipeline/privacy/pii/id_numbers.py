"""Finds resident and business registration numbers, driving licence numbers, passport numbers and card numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.privacy.pii.check_digits import (
    is_birthday,
    is_business,
    is_card,
    is_native,
    is_registration,
    may_be_registration,
)
from emojob.pipeline.privacy.pii.digit_groups import BRACKET, DASH, DOT, LINE, SLASH, SPACE, SPOKEN, Ints, Numbers
from emojob.pipeline.privacy.pii.normalize import is_any_of, lengths, matches
from emojob.pipeline.privacy.pii.scan import NEAR, NOT_PERSONAL, Scan, is_letter
from emojob.schemas.pii import BUSINESS, CARD, FOREIGNER, LICENCE, PASSPORT, RESIDENT

_RESIDENT = r"(?i)주민|등록\s*번호|외국인|민증|신분증|rrn"
_LICENCE = "면허"
_BUSINESS = "사업자"
_PASSPORT = "(?i)여권|passport"
_LICENSING = (
    r"((?:서울|부산|경기|강원|충북|충남|전북|전남|경북|경남|제주|대구|인천|광주|대전|울산)(?:남부|북부)?[\s-]{0,2})$"
)


def find_residents(scan: Scan) -> None:
    """Add the resident registration numbers of Koreans and foreigners to `scan.spans`."""
    usual, unusual = DASH | SPACE | DOT, LINE | SLASH | BRACKET | SPOKEN
    for shape, gaps in ((((6, 6), (7, 7)), usual), (((6, 6), (7, 7)), unusual), (((13, 13),), 0)):
        found = scan.groups.numbers(shape, gaps)
        found = found.select(may_be_registration(found) & ~is_letter(scan.after(found)))
        good = is_registration(found)
        good |= scan.named(found, _RESIDENT, ~good)
        good &= ~scan.near(found, NOT_PERSONAL, good & (found.groups == 1))
        _add_residents(scan, found.select(good))
    hidden = scan.groups.numbers(((6, 6), (1, 1)), DASH | SPACE)  # hidden digits: 900101-1******
    _add_residents(scan, hidden.select(is_birthday(hidden) & is_any_of(scan.after(hidden), "*xX●○")))


def _add_residents(scan: Scan, found: Numbers) -> None:
    native = is_native(found)
    scan.add(RESIDENT, found.select(native))
    scan.add(FOREIGNER, found.select(~native))


def find_licences(scan: Scan) -> None:
    """Add driving licence numbers to `scan.spans`."""
    found = scan.groups.numbers(((2, 2), (2, 2), (6, 6), (2, 2)), DASH | SPACE | DOT, same_gaps=True)
    found = found.select((found.value(0, 2) >= 11) & (found.value(0, 2) <= 28) & ~scan.is_lettered(found))
    doubtful = scan.near(found, NOT_PERSONAL)
    scan.add(LICENCE, found.select(~doubtful | scan.named(found, _LICENCE, doubtful)))
    old = scan.groups.numbers(((2, 2), (6, 6), (2, 2)), DASH | SPACE)
    back = lengths(scan.normalized.before(scan.groups.starts[old.first], 8).str.extract(_LICENSING))
    scan.add(LICENCE, old.select(back > 0), back[back > 0])
    for shape in (((12, 12),), ((2, 2), (10, 10)), ((2, 2), (6, 6), (2, 2)), ((2, 2), (8, 8)), ((10, 10),)):
        glued = scan.groups.numbers(shape, DASH | SPACE)
        scan.add(LICENCE, glued.select(scan.named(glued, _LICENCE)))


def find_businesses(scan: Scan) -> None:
    """Add business registration numbers to `scan.spans`."""
    apart = scan.groups.numbers(((3, 3), (2, 2), (5, 5)), DASH | SPACE | DOT, same_gaps=True)
    glued = scan.groups.numbers(((10, 10),))
    for found, is_glued in ((apart, False), (glued, True)):
        found = found.select(~scan.is_lettered(found))
        good = is_business(found) & (not is_glued)
        scan.add(BUSINESS, found.select(good | scan.named(found, _BUSINESS, ~good)))


def find_passports(scan: Scan) -> None:
    """Add passport numbers (M12345678, M123A4567) to `scan.spans`."""
    for found in (scan.groups.numbers(((8, 8),), isolated=False), _split_by_letter(scan)):
        for spaces in (0, 1):
            letters = scan.groups.starts[found.first] - 1 - spaces
            letter, before = (_chars_at(scan, letters - back) for back in (0, 1))
            good = np.isin(letter | 0x20, list(map(ord, "msrdgo"))) & ~is_letter(before) & (before != ord("-"))
            good &= ~((before >= ord("0")) & (before <= ord("9")))
            good &= (scan.before(found) == ord(" ")) if spaces else True
            after = scan.after(found)
            some = found.select(good & ~is_letter(after) & (after != ord("-")))
            before_letter = scan.normalized.before(scan.groups.starts[some.first] - 1, NEAR)
            certain = ~matches(before_letter, NOT_PERSONAL) & (spaces == 0)
            scan.add(PASSPORT, some.select(certain | scan.near(some, _PASSPORT, ~certain)), back=1 + spaces)


def _chars_at(scan: Scan, positions: Ints) -> NDArray[np.uint16]:
    """Return the code point at each position; 0 if the position is negative. uint16 [positions]."""
    return np.where(positions >= 0, scan.normalized.chars[np.maximum(positions, 0)], 0).astype(np.uint16)


def _split_by_letter(scan: Scan) -> Numbers:
    """Return numbers of three digits, a letter and four digits, such as 123A4567 in the passport number M123A4567."""
    first = np.flatnonzero((scan.groups.lengths[:-1] == 3) & (scan.groups.lengths[1:] == 4) & scan.groups.tight[:-1])
    return scan.groups.numbers_at(first[is_letter(scan.groups.char_after(first))], 2)


def find_cards(scan: Scan) -> None:
    """Add card numbers of 14 to 16 digits to `scan.spans`."""
    marks = DASH | SPACE | DOT | SLASH | LINE
    sixteen = (scan.groups.numbers(((4, 4),) * 4, marks), scan.groups.numbers(((16, 16),)))
    fifteen = (scan.groups.numbers(((4, 4), (6, 6), (5, 5)), marks), scan.groups.numbers(((15, 15),)))
    fourteen = (scan.groups.numbers(((4, 4), (6, 6), (4, 4)), marks), scan.groups.numbers(((14, 14),)))
    for length, all_found in ((16, sixteen), (15, fifteen), (14, fourteen)):
        for found in all_found:
            found = found.select(~scan.is_lettered(found) & is_card(found, length))
            if found.groups == 1:
                found = found.select(~scan.near(found, NOT_PERSONAL))
            scan.add(CARD, found)
