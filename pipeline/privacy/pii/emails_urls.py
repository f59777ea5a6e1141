"""Finds e-mail addresses, and URLs that contain credentials."""

from __future__ import annotations

import numpy as np

from emojob.pipeline.privacy.pii.normalize import NormalizedTexts, Positions, lengths, points
from emojob.pipeline.privacy.pii.spans import Spans
from emojob.schemas.pii import EMAIL, URL

_LONGEST_URL = 2_048
_LONGEST_LOCAL, _LONGEST_DOMAIN = 65, 256  # limits of RFC 5321, plus 1 for a space next to the @

_SCHEME = r"([A-Za-z][A-Za-z0-9+.:-]{0,30})$"
_URL = r"^(://[!-~가-힣]+)"
_URL_TAIL = r"[가-힣.,;:?)\]}>'\"]+$"  # Korean particles and punctuation that follow a URL
_CREDENTIAL = (
    r"^://[^/?#]*@|(?i)[?&#;](?:[\w-]*(?:token|secret|passw(?:or)?d|pwd|signature|credential|key|auth(?:code)?"
    r"|session(?:[_-]?id)?)|sid|sig|pw|jwt)=[^&\s]"
)

_LOCAL = r"([A-Za-z0-9](?:[A-Za-z0-9._%+'-]*[A-Za-z0-9_+-])?\s?|[가-힣]{1,10})$"
_HOST = r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?|[가-힣]{1,20})\.){1,8}(?:[A-Za-z]{2,24}|한국)"
_DOMAIN = rf"^(@\s?{_HOST})(?:[^A-Za-z0-9]|$)"
_SAID_HOST = r"(?:네이버|지메일|다음|한메일|카카오|네이트)(?:\s?(?:닷|점)\s?(?:컴|넷))?"
_SAID_DOMAIN = rf"^(\(?골뱅이\)?\s?(?:{_HOST}|{_SAID_HOST}))(?:[^A-Za-z0-9]|$)"
_SPELLED_DOMAIN = rf"^([(\[](?i:at)[)\]]\s?{_HOST})(?:[^A-Za-z0-9]|$)"
_SIGNS = {
    "@": _DOMAIN, "골뱅이": _SAID_DOMAIN, "(골뱅이)": _SAID_DOMAIN,
    "(at)": _SPELLED_DOMAIN, "[at]": _SPELLED_DOMAIN, "(AT)": _SPELLED_DOMAIN,
}  # fmt: skip


def find_urls(normalized: NormalizedTexts, spans: Spans) -> None:
    """Add URLs that contain credentials (user name, password, token or key) to `spans`."""
    at = _find_word(normalized, "://")
    if not len(at):
        return
    urls = normalized.after(at, _LONGEST_URL).str.extract(_URL)
    schemes = normalized.before(at, 31).str.extract(_SCHEME)
    secret = (urls.is_not_null() & schemes.is_not_null() & urls.str.contains(_CREDENTIAL)).fill_null(False).to_numpy()
    starts, stops = at - lengths(schemes), at + lengths(urls.str.replace(_URL_TAIL, ""))
    spans.add(URL, starts[secret], stops[secret])


def find_emails(normalized: NormalizedTexts, spans: Spans) -> None:
    """Add the spans of e-mail addresses to `spans`.

    Examples: kim@naver.com, kim @ naver.com, kim 골뱅이 naver.com, kim(at)naver.com.
    """
    for sign, domain in _SIGNS.items():
        at = _find_word(normalized, sign)
        if not len(at):
            continue
        locals_ = lengths(normalized.before(at, _LONGEST_LOCAL).str.extract(_LOCAL))
        domains = lengths(normalized.after(at, _LONGEST_DOMAIN).str.extract(domain))
        good = (locals_ > 0) & (domains > 0)
        spans.add(EMAIL, (at - locals_)[good], (at + domains)[good])


def _find_word(normalized: NormalizedTexts, word: str) -> Positions:
    """Return all positions of `word` in the texts. int64 [positions]."""
    first, *others = points(word)
    at = np.flatnonzero(normalized.chars == first)
    for i, char in enumerate(others, 1):
        at = at[at + i < len(normalized.chars)]
        at = at[normalized.chars[at + i] == char]
    return at
