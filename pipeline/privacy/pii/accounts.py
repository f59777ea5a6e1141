"""Finds bank account numbers.

An account number has no check digit. So a number is masked only near a bank name or a word such as 계좌.
"""

from __future__ import annotations

import numpy as np

from emojob.pipeline.privacy.pii.digit_groups import DASH, SPACE, Numbers
from emojob.pipeline.privacy.pii.normalize import Mask, matches
from emojob.pipeline.privacy.pii.scan import NEAR, NOT_PERSONAL, Scan
from emojob.schemas.pii import ACCOUNT

_FEWEST, _MOST = 10, 14  # minimum and maximum number of digits in an account number

_CLEAR = (
    "국민은행|신한은행|우리은행|하나은행|기업은행|제일은행|씨티은행|산업은행|부산은행|대구은행|광주은행|전북은행|경남은행"
    "|제주은행|수협은행|농협은행|저축은행|KB국민|국민|신한|KEB하나|NH농협|농협|IBK기업|IBK|SC제일|씨티|SH수협|수협|우체국"
    "|새마을금고|새마을|신협|카카오뱅크|카뱅|토스뱅크|토뱅|케이뱅크|케뱅|K뱅크|KDB산업|iM뱅크|아이엠뱅크|BNK부산|BNK경남"
    "|단위농협|축협|산림조합|증권|(?:shinhan|woori|hana|kookmin|kakao|toss|kb|nh|ibk|k)\\s?bank|kookmin|nonghyup"
)
_DOUBTFUL = "우리|하나|기업|제일|산업|부산|대구|광주|전북|경남|제주|카카오|토스|케이|KB|NH|SC|SH|iM"
_BANK_BEFORE = (
    rf"(?i)(?:(?:{_CLEAR})[^0-9]{{0,12}}"
    rf"|(?:^|[\s(,./:\[])(?:{_DOUBTFUL})(?:은행|뱅크)?\s?(?:계좌|통장)?(?:번호)?[\s은는:)/(\]-]{{0,3}}"
    rf"|(?:계좌|입금|송금|이체|통장|예금주)[^0-9]{{0,12}})$"
)
_BANK_AFTER = (
    rf"(?i)^(?:[\s(,/\[]{{0,3}}(?:(?:{_CLEAR})|(?:{_DOUBTFUL})(?:은행|뱅크|계좌|[),./\]]|이에요|예요|이요|요|입니다|으로|로|$))"
    r"|[^0-9]{0,4}(?:계좌|통장|예금주))"
)
_NO_BANK_BEFORE = r"(?:카드|소포|등기|택배|우편|보험)[^0-9]{0,12}$"
_NO_BANK_AFTER = rf"(?i)^[\s(,/\[]{{0,3}}(?:{_CLEAR}|{_DOUBTFUL})\s?카드"


def find_accounts(scan: Scan) -> None:
    """Add bank account numbers to `scan.spans`."""
    begins, counts = scan.groups.chains(DASH)
    digits = scan.groups.sums(begins, counts)
    fits = (digits >= _FEWEST) & (digits <= _MOST)
    for count in (1, 2, 3, 4, 5):
        _add(scan, scan.groups.numbers_at(begins[fits & (counts == count)], count))
    # If spaces separate the groups, a bank name or a word such as 계좌 must be before the number.
    for count in (2, 3, 4):
        _add(scan, scan.groups.numbers(((2, 8),) * count, SPACE), after=False)


def _add(scan: Scan, found: Numbers, after: bool = True) -> None:
    """Add each number to `scan.spans` if a bank name or a word such as 계좌 is before the number.

    If `after` is true, a bank name after the number is enough (110-123-456789 신한은행).
    """
    found = found.select((found.size >= _FEWEST) & (found.size <= _MOST) & ~scan.is_lettered(found))
    found = found.select(scan.free(found))
    if found.groups == 1:
        found = found.select(~_is_moment(found))
    if not len(found.first):
        return
    before = scan.normalized.before(scan.starts(found), NEAR)
    named = matches(before, _BANK_BEFORE) & ~matches(before, _NO_BANK_BEFORE)
    if after:
        texts = scan.normalized.after(scan.stops(found), NEAR)
        named |= matches(texts, _BANK_AFTER) & ~matches(texts, _NO_BANK_AFTER)
    scan.add(ACCOUNT, found.select(named & ~matches(before, NOT_PERSONAL)))


def _is_moment(found: Numbers) -> Mask:
    """Return whether each number looks like a date and a time (202405011230). bool [numbers]."""
    year, month, day, hour = (found.value(*digits) for digits in ((0, 4), (4, 6), (6, 8), (8, 10)))
    in_range = (year >= 1990) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24)
    return in_range & np.isin(found.size, (10, 12, 14))
