"""Personal data that is written in words and signs: URLs with credentials, and e-mail."""

from __future__ import annotations

import numpy as np

from emojob.pipeline.privacy.pii.normalize import Folded, Places, points, sizes
from emojob.pipeline.privacy.pii.spans import Spans
from emojob.schemas.pii import EMAIL, URL

_LONGEST_URL = 2_048
_LONGEST_LOCAL, _LONGEST_DOMAIN = 65, 256  # RFC 5321, with a space at the sign

_SCHEME = r"([A-Za-z][A-Za-z0-9+.:-]{0,30})$"
_URL = r"^(://[!-~가-힣]+)"
_URL_TAIL = r"[가-힣.,;:?)\]}>'\"]+$"  # of the sentence around it
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
    for sign, domain in _SIGNS.items():
        at = _written(folded, sign)
        if not len(at):
            continue
        locals_ = sizes(folded.before(at, _LONGEST_LOCAL).str.extract(_LOCAL))
        domains = sizes(folded.behind(at, _LONGEST_DOMAIN).str.extract(domain))
        good = (locals_ > 0) & (domains > 0)
        spans.add(EMAIL, (at - locals_)[good], (at + domains)[good])


def _written(folded: Folded, word: str) -> Places:
    """Where a word stands."""
    first, *others = points(word)
    at = np.flatnonzero(folded.chars == first)
    for place, char in enumerate(others, 1):
        at = at[at + place < len(folded.chars)]
        at = at[folded.chars[at + place] == char]
    return at
