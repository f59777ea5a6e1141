"""Personal data that is written in words and signs: URLs with credentials, e-mail, telephone numbers as spoken."""

from __future__ import annotations

import numpy as np

from pipeline.pii.folding import Folded, Mask, Places, among, points, sizes
from pipeline.pii.spans import Spans
from schemas.pii import EMAIL, PHONE, URL

_LONGEST_URL = 2_048
_LONGEST_LOCAL, _LONGEST_DOMAIN = 65, 256  # RFC 5321, with a space at the sign

_SCHEME = r"([A-Za-z][A-Za-z0-9+.:-]{0,30})$"
_URL = r"^(://[!-~가-힣]+)"
_URL_TAIL = r"[가-힣.,;:?)\]}>'\"]+$"  # of the sentence around it
_CREDENTIAL = (
    r"^://[^/?#]*@|(?i)[?&#;](?:[\w-]*(?:token|secret|passw(?:or)?d|pwd|signature|credential|api[_-]?key|access[_-]?key"
    r"|auth(?:key|code)?|session(?:[_-]?id)?)|key|sid|sig|pw|jwt)=[^&\s]"
)

_LOCAL = r"([A-Za-z0-9](?:[A-Za-z0-9._%+-]*[A-Za-z0-9_+-])?\s?)$"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}(?:[A-Za-z]{2,24}|한국)"
_DOMAIN = rf"^(@\s?{_HOST})(?:[^A-Za-z0-9]|$)"
_SAID_HOST = r"(?:네이버|지메일|다음|한메일|카카오|네이트)(?:\s?(?:닷|점)\s?(?:컴|넷))?"
_SAID_DOMAIN = rf"^(골뱅이\s?(?:{_HOST}|{_SAID_HOST}))(?:[^A-Za-z0-9]|$)"

_SAID = "공영빵일이삼사오육륙칠팔구둘"
_DIGIT = f"[0-9{_SAID}]"
_PAUSE = r"(?:\s?(?:에|다시|의|하고)\s?|[\s.,-]{1,3})?"
_MOBILE = rf"(?:[공영빵]{_PAUSE}일|01|0일){_PAUSE}[공영빵일육륙칠팔구016789]"
_AREAS = ("삼일이삼", "사일이삼사", "오일이삼사오", "육일이삼사", "칠공영빵")
_AREA = "|".join(["이", *(f"{code[0]}{_PAUSE}[{code[1:]}]" for code in _AREAS)])
_SPOKEN = rf"^((?:{_MOBILE}|[공영빵]{_PAUSE}(?:{_AREA}))(?:{_PAUSE}{_DIGIT}){{7,8}})"
_SPOKEN_WIDTH = 64  # characters of the longest one
_FAR, _FEWEST_SAID = 16, 3  # characters from the first digit on, and how many of them are digits in words, at least


def find_urls(folded: Folded, spans: Spans) -> None:
    """URLs with a user, a password, a token or a key in them."""
    at = _written(folded, "://")
    if not len(at):
        return
    urls = folded.behind(at, _LONGEST_URL).str.extract(_URL)
    schemes = folded.before(at, 31).str.extract(_SCHEME)
    secret = (urls.is_not_null() & schemes.is_not_null() & urls.str.contains(_CREDENTIAL)).fill_null(False).to_numpy()
    starts, stops = at - sizes(schemes), at + sizes(urls.str.replace(_URL_TAIL, ""))
    spans.add(URL, starts[secret], stops[secret])


def find_emails(folded: Folded, spans: Spans) -> None:
    """E-mail addresses, as they are written and as they are spelled out; at the sign there may be spaces."""
    for sign, domain in (("@", _DOMAIN), ("골뱅이", _SAID_DOMAIN)):
        at = _written(folded, sign)
        if not len(at):
            continue
        locals_ = sizes(folded.before(at, _LONGEST_LOCAL).str.extract(_LOCAL))
        domains = sizes(folded.behind(at, _LONGEST_DOMAIN).str.extract(domain))
        good = (locals_ > 0) & (domains > 0)
        spans.add(EMAIL, (at - locals_)[good], (at + domains)[good])


def find_spoken(folded: Folded, spans: Spans) -> None:
    """Telephone numbers in words: 공일공 일이삼사 오육칠팔."""
    at = folded.at("0공영빵")
    padded = np.append(folded.chars, np.zeros(_FAR, np.uint16))
    near = np.lib.stride_tricks.sliding_window_view(padded, _FAR)
    at = at[among(near[at], _SAID).sum(1) >= _FEWEST_SAID]
    at = at[~_is_digit(folded, at - 1)]
    if not len(at):
        return
    found = sizes(folded.behind(at, _SPOKEN_WIDTH).str.extract(_SPOKEN))
    good = (found > 0) & ~_is_digit(folded, at + found)
    spans.add(PHONE, at[good], (at + found)[good])


def _written(folded: Folded, word: str) -> Places:
    """Where a word stands."""
    first, *others = points(word)
    at = np.flatnonzero(folded.chars == first)
    for place, char in enumerate(others, 1):
        at = at[at + place < len(folded.chars)]
        at = at[folded.chars[at + place] == char]
    return at


def _is_digit(folded: Folded, at: Places) -> Mask:
    """Whether the characters at some places, which may be outside, are digits."""
    inside = (at >= 0) & (at < len(folded.chars))
    return inside & among(folded.chars[np.where(inside, at, 0)], "0123456789")
