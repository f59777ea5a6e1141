"""Checks the dates, check digits and prefixes of ID numbers, card numbers and phone numbers.

Most functions return bool [numbers].

Sources:

- resident registration numbers: 주민등록법 시행규칙 (no check digit for people born on or after 5 October 2020)
- business registration numbers: 국세청
- card numbers: ISO/IEC 7812 (Luhn)
- phone numbers: Korea's numbering plan (ITU-T E.164, national annex)
"""

from __future__ import annotations

import datetime

import numpy as np

from emojob.pipeline.privacy.pii.digit_groups import Ints, Numbers
from emojob.pipeline.privacy.pii.normalize import Mask

_FIRST_UNCHECKED = 201005  # YYMMDD; registration numbers of people born on or after this date have no check digit
_RELEASED = 2026  # the clock of a machine may be wrong; this year is certainly over or now


def is_native(found: Numbers) -> Mask:
    """Return whether each resident registration number belongs to a Korean.

    The seventh digit is 1 to 4 for Koreans, and 5 to 8 for foreigners.
    """
    return np.isin(found.digits[:, 6], (1, 2, 3, 4))


def is_registration(found: Numbers) -> Mask:
    """Return whether each 13-digit number is a valid resident registration number. bool [numbers].

    The date of birth, the seventh digit and the check digit must be valid. The check digit is not
    tested for people born on or after 5 October 2020.
    """
    sex = found.digits[:, 6]
    weighed = _weighed(found, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11
    checked = found.digits[:, 12] == np.where(is_native(found), 11 - weighed, 13 - weighed) % 10
    of_this_century = np.isin(sex, (3, 4, 7, 8))
    born = ~of_this_century | (found.value(0, 2) <= _year())
    good: Mask = may_be_registration(found) & born & (checked | (is_young(found) & of_this_century))
    return good


def may_be_registration(found: Numbers) -> Mask:
    """Return whether each 13-digit number has a valid date of birth (YYMMDD) and a valid seventh digit."""
    return is_birthday(found) & np.isin(found.digits[:, 6], range(1, 9))


def is_young(found: Numbers) -> Mask:
    """Return whether each registration number may belong to a person born on or after 5 October 2020.

    These registration numbers have no check digit. The century of birth is not tested.
    """
    return (found.value(0, 6) >= _FIRST_UNCHECKED) & (found.value(0, 2) <= _year())


def is_business(found: Numbers) -> Mask:
    """Return whether each ten-digit number has the check digit of a business registration number."""
    weighed = _weighed(found, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + found.digits[:, 8].astype(np.int64) * 5 // 10
    good: Mask = found.digits[:, 9] == (10 - weighed % 10) % 10
    return good


def is_card(found: Numbers, length: int) -> Mask:
    """Return whether the first `length` digits of each number are a valid card number."""
    return _is_luhn(found, length) & _is_issued(found, length)


def is_birthday(found: Numbers) -> Mask:
    """Return whether each number begins with a date (YYMMDD)."""
    month, day = found.value(2, 4), found.value(4, 6)
    days = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    return (month >= 1) & (month <= 12) & (day >= 1) & (day <= days[np.clip(month, 0, 12)])


def code_size(found: Numbers) -> Ints:
    """Return the length of the area code in each phone number, such as 2 for 02-123-4567. int64 [numbers].

    Codes such as 070 and 0504 count as area codes. For an unknown area code, the length is 0.
    """
    two, three, four = found.value(0, 2), found.value(0, 3), found.value(0, 4)
    area = ((three >= 31) & (three <= 33)) | ((three >= 41) & (three <= 44)) | ((three >= 51) & (three <= 55))
    area |= ((three >= 61) & (three <= 64)) | (three == 70)
    personal = (((four >= 500) & (four <= 509)) | (four == 303)) & (found.digits[:, 0] == 0)
    zero = found.digits[:, 0] == 0
    return np.where(personal, 4, np.where(zero & area, 3, np.where(zero & (two == 2), 2, 0)))


def _year() -> int:
    """Return the last two digits of this year. If the clock is behind, return the year of this version."""
    return min(max(datetime.date.today().year, _RELEASED) - 2000, 99)


def _is_luhn(found: Numbers, length: int) -> Mask:
    digits = found.digits[:, :length].astype(np.int64)
    doubled = digits[:, length % 2 :: 2] * 2
    whole = digits.sum(1) - digits[:, length % 2 :: 2].sum(1) + (doubled - 9 * (doubled > 9)).sum(1)
    good: Mask = whole % 10 == 0
    return good


def _is_issued(found: Numbers, length: int) -> Mask:
    """Return whether the first two digits of each number are valid for a card number of `length` digits.

    For example, a card number of 15 digits begins with 34 or 37.
    """
    first, two = found.digits[:, 0], found.value(0, 2)
    if length == 16:
        return np.isin(first, (2, 3, 4, 5, 6, 9))
    return np.isin(two, (34, 37)) if length == 15 else np.isin(two, (30, 36, 38, 39))


def _weighed(found: Numbers, weights: tuple[int, ...]) -> Ints:
    """Return the weighted sum of the first `len(weights)` digits of each number. int64 [numbers]."""
    weighed: Ints = found.digits[:, : len(weights)].astype(np.int64) @ np.array(weights)
    return weighed
