"""Defines the types of personal data that emojob masks, and the placeholders, for example [전화번호]."""

from __future__ import annotations

RESIDENT = "주민등록번호"
FOREIGNER = "외국인등록번호"
PHONE = "전화번호"
CARD = "카드번호"
ACCOUNT = "계좌번호"
EMAIL = "이메일"
PASSPORT = "여권번호"
LICENCE = "운전면허번호"
BUSINESS = "사업자등록번호"
ADDRESS = "주소"
URL = "URL"

#: All types of personal data. If characters match two types, the type that is earlier in this tuple is used.
KINDS = (URL, EMAIL, RESIDENT, FOREIGNER, LICENCE, CARD, PHONE, BUSINESS, PASSPORT, ACCOUNT, ADDRESS)


def placeholder(kind: str) -> str:
    """Return the placeholder for a type of personal data, for example [전화번호]."""
    return f"[{kind}]"
