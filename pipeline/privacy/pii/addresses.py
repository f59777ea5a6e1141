"""Finds addresses with a number: road addresses (도로명주소) and lot addresses (지번주소).

The elements of an address, in this order:

- province and districts (서울 강남구), listed in districts.txt
- road (로, 길) or neighbourhood (동, 리, 가)
- house number or lot number
- optional: building, floor, room
"""

from __future__ import annotations

import functools
from importlib.resources import files

import numpy as np
import polars as pl

from emojob.pipeline.privacy.pii.digit_groups import DigitGroups
from emojob.pipeline.privacy.pii.normalize import Mask, is_any_of, lengths, matches
from emojob.pipeline.privacy.pii.scan import Scan
from emojob.schemas.pii import ADDRESS

_BEFORE = 48  # maximum number of characters of an address before the house number
_AFTER = 96  # maximum number of characters from the first digit of the house number to the end of the address
_ENDS = "로길동리가하산"  # last characters of roads (로, 길), neighbourhoods (동, 리, 가), 지하 and 산

# A road such as 테헤란로 or 테헤란로12길, or a neighbourhood such as 역삼동 or 역삼1동.
_ALLEY_OF = r"(?:\s?\d{1,4}(?:번안|[번가나다라마바사아자])?길)?"
_STREET = rf"(?:[가-힣A-Za-z0-9.]{{1,12}}(?:로|길){_ALLEY_OF}|[가-힣]{{1,6}}\d{{0,2}}(?:동|리|가))"
_BELOW = r"\s?(?:지하\s?|산\s?)?$"
_BARE_LOT = r"(?:^|[^가-힣])((?:[가-힣]{2,5}\d?동|[가-힣]{1,5}\d가)\s?)$"
_BARE_ROAD = rf"(?:^|[^가-힣])([가-힣]{{2,8}}(?:로|길){_ALLEY_OF}\s?)$"
_CALLED = r"(?:주소|배송지|도로명|지번|거주지|사는\s?곳)[^0-9]{0,20}$"

_NUMBER = r"^(\d{1,5}(?:\s?-\s?\d{1,4})?(?:\s?번지|\s?(?:번안|[번가나다라마바사아자])?길(?:\s?\d{1,4}(?:-\d{1,4})?)?)?)"
_LOT = r"^(?:\d{2,5}-\d{1,4}|\d{1,5}(?:-\d{1,4})?\s?번지)"
_ALLEY = r"^\d{1,4}\s?번(?:안)?길\s?\d"
# A number before a unit of this list is not a house number (버스로 30분).
_COUNTED = (
    "개|명|원|시간|시|분|초|일|월|년|살|세|차|건|장|잔|병|대|천|백|억|회|번|호선|호차|위|등|점|배|킬로|미터|센티|그램|리터|퍼|키로|km|kg|cm|m|g|%"
    "|출구|박|끼|킬|마리|마디|곡|편|권|가구|가지|채|평|종|단|급|강|만\\s?(?:원|명|개)|주(?:[^가-힣]|$|간|일|년|차|동안|전|후)"
    "|인(?:[^가-힣]|$|분|용|실|승|원|조|가)|쪽(?:[^가-힣으]|$)"
)
_UNIT = rf"^(?:-\d|\d|[동층호]|{_COUNTED}|\s(?:{_COUNTED})(?:[^가-힣]|$))"
_BUILDING = (
    "아파트|빌라|오피스텔|빌딩|타워|맨션|주택|하우스|하이츠|상가|연립|APT|apt|캐슬|자이|파크|힐스|단지|푸르지오|래미안|이편한세상"
    "|아이파크|더샵|롯데캐슬|센터|프라자|플라자|스퀘어|기숙사|원룸|고시원|마을"
)
_NOTE = r"(?:\s?\([^()]{1,30}\))?"
_ROOM = (
    r"(?:,?\s?(?:제\s?)?(?:[0-9A-Za-z가나다라]{1,4}동|(?:지하\s?|B)?\d{1,3}층|[A-Za-z]?-?B?\d{1,5}(?:-\d{1,4})?호"
    r"|\d{1,4}[-/]\d{1,4}|반지하|지층|옥탑|B\d))"
)
_DETAIL = (
    rf"^({_NOTE}(?:(?:,?\s?[가-힣A-Za-z0-9]{{1,20}}){{0,2}}?{_ROOM}{{1,4}}"
    rf"|,?\s?[가-힣A-Za-z0-9]{{0,15}}(?:{_BUILDING})(?:\s?\d{{1,2}}(?:차|단지))?)?{_NOTE})"
)
_FLOOR = r"^,?\s?(?:[가-힣A-Za-z0-9]{1,15}\s)?(?:\d{1,4}동\s?)?(?:지하\s?)?\d{1,4}[층호]"


def find_addresses(scan: Scan) -> None:
    """Add addresses to `scan.spans`.

    An address without a province or district is added only if at least one of these conditions is true:

    - The address contains a lot number (역삼동 12-3, 역삼동 12번지).
    - The address contains a side street (중앙로 3번길 5).
    - The address contains a floor or a room (역삼동 12 3층).
    - A word such as 주소 is before the address.
    """
    groups = scan.groups
    first = np.flatnonzero(_follows_a_name(groups))
    first = first[scan.spans.free(groups.starts[first], groups.stops[first])]
    if not len(first):
        return
    at = groups.starts[first]
    tails = groups.normalized.after(at, _AFTER)
    numbers = lengths(tails.str.extract(_NUMBER))
    rests = tails.str.slice(pl.Series(numbers))
    good = ~matches(rests, _UNIT)
    at, tails, rests, numbers = at[good], tails.filter(good), rests.filter(good), numbers[good]
    heads = groups.normalized.before(at, _BEFORE)
    begins = np.maximum(lengths(heads.str.extract(_districted())), lengths(heads.str.extract(_glued())))
    lots, roads = lengths(heads.str.extract(_BARE_LOT)), lengths(heads.str.extract(_BARE_ROAD))
    bare = np.where(matches(tails, _LOT), lots, -1)
    clear = matches(tails, _ALLEY) | matches(heads, _CALLED) | matches(rests, _FLOOR)
    bare = np.where((bare < 0) & clear, np.maximum(lots, roads), bare)
    begins = np.where(begins > 0, begins, bare)
    ends = numbers + lengths(rests.str.extract(_DETAIL).str.strip_chars_end())
    good = begins > 0
    scan.spans.add(ADDRESS, (at - begins)[good], (at + ends)[good])
    # If the building or the room overlaps an existing span, add the address without building and room.
    scan.spans.add(ADDRESS, (at - begins)[good], (at + numbers)[good])


def _follows_a_name(groups: DigitGroups) -> Mask:
    """Return whether each group may be a house number. bool [groups].

    A house number has at most 5 digits and follows the name of a road or a neighbourhood (길 123).
    """
    near = groups.char_before(np.arange(len(groups)))
    far = np.append(np.zeros(2, np.uint16), groups.normalized.chars)[groups.starts]
    found: Mask = (is_any_of(near, _ENDS) | ((near == ord(" ")) & is_any_of(far, _ENDS))) & (groups.lengths <= 5)
    return found


@functools.cache
def _districted() -> str:
    """Return a regular expression for the part of an address before the house number: 서울 강남구 테헤란로."""
    provinces, names = _names()
    short = {name[:-1] for name in names if len(name) > 2}
    district = rf"(?:(?:{_one_of(names)})\s?|(?:{_one_of(short)})\s)"
    return rf"(?:^|[^가-힣])((?:{_province(provinces)}\s?{district}{{0,3}}|{district}{{1,3}}){_TOWN}{_STREET}{_BELOW})"


@functools.cache
def _glued() -> str:
    """Return a regular expression for an address that directly follows a word (집은서울강남구 테헤란로).

    The address must begin with a province. District names must be complete (강남구, not 강남).
    """
    provinces, names = _names()
    return rf"({_province(provinces)}\s?(?:(?:{_one_of(names)})\s?){{1,3}}{_TOWN}{_STREET}{_BELOW})"


_TOWN = r"(?:[가-힣]{1,5}(?:읍|면)\s?)?"


def _province(names: list[str]) -> str:
    return rf"(?:{_one_of(names)})(?:특별자치시|특별자치도|특별시|광역시|자치시|자치도|시|도)?"


@functools.cache
def _names() -> tuple[list[str], set[str]]:
    """Read districts.txt, and return (provinces, districts). Districts include cities (시) and counties (군)."""
    provinces: list[str] = []
    names: set[str] = set()
    for line in (files("emojob.pipeline.privacy.pii") / "districts.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            province, _, within = line.partition(":")
            provinces += province.split()
            names |= set(within.split())
    return provinces, names


def _one_of(names: list[str] | set[str]) -> str:
    return "|".join(sorted(names, key=lambda name: (-len(name), name)))
