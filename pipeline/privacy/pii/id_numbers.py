"""Numbers of persons, companies and cards, by the sizes of their groups, their prefixes and check digits."""

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
from emojob.pipeline.privacy.pii.digit_groups import BRACKET, DASH, DOT, LINE, SLASH, SPACE, SPOKEN, Numbers, Rows
from emojob.pipeline.privacy.pii.normalize import among, has, sizes
from emojob.pipeline.privacy.pii.scan import NEAR, THING, Scan, is_letter
from emojob.schemas.pii import BUSINESS, CARD, FOREIGNER, LICENCE, PASSPORT, RESIDENT

_RESIDENT = r"(?i)주민|등록\s*번호|외국인|민증|신분증|rrn"
_LICENCE = "면허"
_BUSINESS = "사업자"
_PASSPORT = "(?i)여권|passport"
_LICENSING = (
    r"((?:서울|부산|경기|강원|충북|충남|전북|전남|경북|경남|제주|대구|인천|광주|대전|울산)(?:남부|북부)?[\s-]{0,2})$"
)


def find_residents(scan: Scan) -> None:
    """Registration numbers of residents and foreigners."""
    usual, unusual = DASH | SPACE | DOT, LINE | SLASH | BRACKET | SPOKEN
    for written, gaps in ((((6, 6), (7, 7)), usual), (((6, 6), (7, 7)), unusual), (((13, 13),), 0)):
        found = scan.groups.numbers(written, gaps)
        found = found.of(may_be_registration(found) & ~is_letter(scan.behind(found)))
        good = is_registration(found)
        good |= scan.named(found, _RESIDENT, ~good)
        good &= ~scan.near(found, THING, good & (found.groups == 1))
        _add_residents(scan, found.of(good))
    hidden = scan.groups.numbers(((6, 6), (1, 1)), DASH | SPACE)  # 900101-1******
    _add_residents(scan, hidden.of(is_birthday(hidden) & among(scan.behind(hidden), "*xX●○")))


def _add_residents(scan: Scan, found: Numbers) -> None:
    native = is_native(found)
    scan.add(RESIDENT, found.of(native))
    scan.add(FOREIGNER, found.of(~native))


def find_licences(scan: Scan) -> None:
    found = scan.groups.numbers(((2, 2), (2, 2), (6, 6), (2, 2)), DASH | SPACE | DOT, even=True)
    found = found.of((found.value(0, 2) >= 11) & (found.value(0, 2) <= 28) & ~scan.is_lettered(found))
    thing = scan.near(found, THING)
    scan.add(LICENCE, found.of(~thing | scan.named(found, _LICENCE, thing)))
    old = scan.groups.numbers(((2, 2), (6, 6), (2, 2)), DASH | SPACE)
    back = sizes(scan.folded.before(scan.groups.starts[old.first], 8).str.extract(_LICENSING))
    scan.add(LICENCE, old.of(back > 0), back[back > 0])
    for written in (((12, 12),), ((2, 2), (10, 10)), ((2, 2), (6, 6), (2, 2)), ((2, 2), (8, 8)), ((10, 10),)):
        glued = scan.groups.numbers(written, DASH | SPACE)
        scan.add(LICENCE, glued.of(scan.named(glued, _LICENCE)))


def find_businesses(scan: Scan) -> None:
    apart = scan.groups.numbers(((3, 3), (2, 2), (5, 5)), DASH | SPACE | DOT, even=True)
    glued = scan.groups.numbers(((10, 10),))
    for found, is_glued in ((apart, False), (glued, True)):
        found = found.of(~scan.is_lettered(found))
        good = is_business(found) & (not is_glued)
        scan.add(BUSINESS, found.of(good | scan.named(found, _BUSINESS, ~good)))


def find_passports(scan: Scan) -> None:
    for found in (scan.groups.numbers(((8, 8),), alone=False), _split_by_letter(scan)):
        for spaces in (0, 1):
            letters = scan.groups.starts[found.first] - 1 - spaces
            letter, before = (_chars_at(scan, letters - back) for back in (0, 1))
            good = np.isin(letter | 0x20, list(map(ord, "msrdgo"))) & ~is_letter(before) & (before != ord("-"))
            good &= ~((before >= ord("0")) & (before <= ord("9")))
            good &= (scan.before(found) == ord(" ")) if spaces else True
            behind = scan.behind(found)
            some = found.of(good & ~is_letter(behind) & (behind != ord("-")))
            told = ~has(scan.folded.before(scan.groups.starts[some.first] - 1, NEAR), THING) & (spaces == 0)
            scan.add(PASSPORT, some.of(told | scan.near(some, _PASSPORT, ~told)), back=1 + spaces)


def _chars_at(scan: Scan, places: Rows) -> NDArray[np.uint16]:
    """The characters at some places; 0 before the first one."""
    return np.where(places >= 0, scan.folded.chars[np.maximum(places, 0)], 0).astype(np.uint16)


def _split_by_letter(scan: Scan) -> Numbers:
    """M123A4567 without its first letter."""
    first = np.flatnonzero((scan.groups.sizes[:-1] == 3) & (scan.groups.sizes[1:] == 4) & scan.groups.tight[:-1])
    return scan.groups.of(first[is_letter(scan.groups.char_behind(first))], 2)


def find_cards(scan: Scan) -> None:
    marks = DASH | SPACE | DOT | SLASH | LINE
    sixteen = (scan.groups.numbers(((4, 4),) * 4, marks), scan.groups.numbers(((16, 16),)))
    fifteen = (scan.groups.numbers(((4, 4), (6, 6), (5, 5)), marks), scan.groups.numbers(((15, 15),)))
    fourteen = (scan.groups.numbers(((4, 4), (6, 6), (4, 4)), marks), scan.groups.numbers(((14, 14),)))
    for length, all_found in ((16, sixteen), (15, fifteen), (14, fourteen)):
        for found in all_found:
            found = found.of(~scan.is_lettered(found) & is_card(found, length))
            if found.groups == 1:
                found = found.of(~scan.near(found, THING))
            scan.add(CARD, found)
