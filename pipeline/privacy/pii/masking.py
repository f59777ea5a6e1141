"""Masks personal data in texts (`--mask-pii`)."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.privacy.pii.accounts import find_accounts
from emojob.pipeline.privacy.pii.addresses import find_addresses
from emojob.pipeline.privacy.pii.digit_groups import DigitGroups
from emojob.pipeline.privacy.pii.emails_urls import find_emails, find_urls
from emojob.pipeline.privacy.pii.id_numbers import (
    find_businesses,
    find_cards,
    find_licences,
    find_passports,
    find_residents,
)
from emojob.pipeline.privacy.pii.normalize import BETWEEN, NormalizedTexts
from emojob.pipeline.privacy.pii.phones import find_phones
from emojob.pipeline.privacy.pii.scan import Scan
from emojob.pipeline.privacy.pii.spans import Spans
from emojob.pipeline.privacy.pii.spoken_numbers import find_spoken
from emojob.pipeline.system.hardware import cores
from emojob.schemas.pii import KINDS, placeholder

# The most reliable function runs first, because a function cannot replace a span that an earlier function found.
_BY_NUMBERS = (
    find_residents,
    find_licences,
    find_cards,
    find_phones,
    find_businesses,
    find_passports,
    find_accounts,
    find_addresses,
)

# Regular expression (RE2). Texts that do not match are not searched.
_SUSPECT = r"\p{Nd}|[@＠]|:\s?/\s?/|골뱅이|[(\[](?i:at)[)\]]|[공영빵][\s.,-]*일"
_DECOMPOSED = r"[\x{1100}-\x{11FF}]"
_CHARACTERS_AT_ONCE = 1 << 16  # maximum number of characters of rejected rows that are masked together
_AT_ONCE, _BYTES_AT_ONCE = 131_072, 32 << 20  # maximum number of texts, and of bytes, that are masked together


def mask(texts: pa.Array) -> pa.Array:
    """Replace each piece of personal data with a placeholder, such as [전화번호].

    Args:
        texts: Array of strings (any Arrow string type) in valid UTF-8. Null is allowed.

    Returns:
        Masked texts, in the same Arrow type. Decomposed Hangul may be composed (NFC).
    """
    plain = texts.cast(pa.large_string())
    suspect = pc.match_substring_regex(plain, _SUSPECT).fill_null(False)
    rows = np.flatnonzero(suspect.to_numpy(zero_copy_only=False))
    if not len(rows):
        return texts
    taken = plain.take(pa.array(rows))
    decomposed = pc.match_substring_regex(taken, _DECOMPOSED)
    if pc.any(decomposed).as_py():
        taken = pc.if_else(decomposed, pc.utf8_normalize(taken, "NFC"), taken)
    with ThreadPoolExecutor(cores()) as pool:
        done = pool.map(lambda one: _masked(one.to_pylist()), _slices(taken))
        masked = list(itertools.chain.from_iterable(done))
    return pc.replace_with_mask(plain, suspect, pa.array(masked, pa.large_string())).cast(texts.type)


def mask_texts(texts: Sequence[str | None]) -> list[str | None]:
    """Apply `mask` to a list of texts."""
    masked: list[str | None] = mask(pa.array(texts, pa.large_string())).to_pylist()
    return masked


def mask_beginnings(texts: Sequence[str], characters: int) -> list[str]:
    """Mask texts, and return only the beginning of each text.

    Personal data is searched in the whole text, and the text is cut after that. So no part of a number is left at the
    cut: if a number begins before the cut and ends after the cut, the result ends before the number.

    Args:
        texts: Texts in valid Unicode.
        characters: Maximum number of characters of each result.
    """
    plain = [unicodedata.normalize("NFC", one) if re.search("[\u1100-\u11ff]", one) else one for one in texts]
    sizes, masked = np.cumsum([len(one) for one in plain]), list[str]()
    for begin, end in itertools.pairwise(_bounds(sizes // _CHARACTERS_AT_ONCE)):
        masked += _masked_beginnings(plain[begin:end], characters)
    return masked


def _bounds(groups: NDArray[np.int64]) -> list[int]:
    """Return where each group begins, and the number of elements. `groups` are the sorted group numbers of elements."""
    return [*np.flatnonzero(np.diff(groups, prepend=-1)).tolist(), len(groups)]


def _masked_beginnings(texts: list[str], characters: int) -> list[str]:
    starts, stops, kinds = _found(texts)
    sizes = np.fromiter(map(len, texts), np.int64, len(texts)) + len(BETWEEN)
    begins = np.cumsum(sizes) - sizes
    first = np.searchsorted(starts, begins).tolist()  # the first span of each text
    results = []
    for text, begin, *span in zip(texts, begins.tolist(), first, [*first[1:], len(starts)], strict=True):
        pieces, at, end = list[str](), 0, min(len(text), characters)
        for start, stop, kind in zip(*(one[slice(*span)] for one in (starts, stops, kinds)), strict=True):
            if stop - begin > end:
                end = min(end, start - begin)
                break
            pieces += [text[at : start - begin], placeholder(KINDS[kind])]
            at = stop - begin
        results.append("".join([*pieces, text[at:end]])[:characters])
    return results


def find(text: str) -> list[tuple[str, str]]:
    """Return the personal data in a text, such as [("전화번호", "010-1234-5678")]."""
    return [(KINDS[kind], text[start:stop]) for start, stop, kind in zip(*_found([text]), strict=True)]


def _slices(texts: pa.Array) -> list[pa.Array]:
    """Split an array into smaller arrays, so that masking needs less memory."""
    ends = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False)) // _BYTES_AT_ONCE
    ends = ends * len(texts) + np.arange(len(texts)) // _AT_ONCE
    begins = np.flatnonzero(np.diff(ends, prepend=-1)).tolist()
    return [texts.slice(begin, end - begin) for begin, end in itertools.pairwise([*begins, len(texts)])]


def _masked(texts: list[str]) -> list[str]:
    """Return the masked texts. All texts are masked together as one long text."""
    starts, stops, kinds = _found(texts)
    if not starts:
        return texts
    joined, words = BETWEEN.join(texts), list(map(placeholder, KINDS))
    pieces, at = [], 0
    for start, stop, kind in zip(starts, stops, kinds, strict=True):
        pieces += [joined[at:start], words[kind]]
        at = stop
    pieces.append(joined[at:])
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum(lengths + len(BETWEEN))
    change = np.array([len(words[kind]) for kind in kinds]) - np.array(stops) + np.array(starts)
    lengths += np.bincount(np.searchsorted(ends, starts, "right"), change, len(texts)).astype(np.int64)
    whole, begins = "".join(pieces), np.cumsum(lengths + len(BETWEEN)) - lengths - len(BETWEEN)
    return [whole[begin : begin + length] for begin, length in zip(begins.tolist(), lengths.tolist(), strict=True)]


def _found(texts: list[str]) -> tuple[list[int], list[int], list[int]]:
    """Return (starts, stops, kinds) of the personal data in the joined texts. Kinds are indexes into KINDS."""
    normalized, spans = NormalizedTexts(texts), Spans()
    find_urls(normalized, spans)
    find_emails(normalized, spans)
    groups = DigitGroups(normalized)
    if len(groups):
        scan = Scan(groups, spans)
        for find_some in _BY_NUMBERS:
            find_some(scan)
    find_spoken(normalized, spans)
    positions = normalized.positions
    return positions[spans.starts].tolist(), (positions[spans.stops - 1] + 1).tolist(), spans.kinds.tolist()
