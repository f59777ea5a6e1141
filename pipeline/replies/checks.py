"""Checks drafts before anybody sees them. A draft that fails a check is dropped, with the reason.

| check | a draft is dropped if |
| --- | --- |
| length | it has fewer than 2 characters, or more than 300 (1,000 if it is from the answer book) |
| language | fewer than half of its letters are Hangul, or it contains control characters |
| repetition | it repeats itself, as a model in a loop does |
| copy | it shares more than 20 words in a row with the training data (only drafts that a model wrote) |
| crisis | it speaks of suicide or self-harm |
| emotion | it comes out as anger |
| score | its score is below gpt2.least_score of replies.toml (only drafts that a model wrote; see `bot`) |

Personal data in a draft is masked first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.privacy.pii.masking import mask
from emojob.pipeline.replies.writing.copies import MOST_COPIED
from emojob.pipeline.rules.crisis import speaks_of_crisis

#: Maximum number of characters of a draft that a model wrote, and of an answer of the answer book.
LONGEST_WRITTEN, LONGEST_ANSWER = 300, 1000
#: Reasons for which a draft is dropped.
TOO_SHORT, TOO_LONG, NOT_KOREAN, REPEATED, COPIED, OF_CRISIS, ANGRY, UNLIKELY = (
    "too short", "too long", "not Korean", "repeats itself", "copied from training data", "speaks of self-harm",
    "sounds angry", "the model is not sure",
)  # fmt: skip

_ANGER = frozenset({"분노", "화", "화남", "anger", "angry", "rage"})
_BETWEEN = re.compile(r"[/,·|&+;()\[\]\s]+")
_CONTROL = ("Cc", "Cs", "Co", "Cn")
_HANGUL = re.compile(r"[가-힣ㄱ-ㆎ]")
_LOOP = re.compile(r"(.{2,12}?)\1{3,}|([가-힣])\2{5,}", re.DOTALL)


@dataclass(frozen=True)
class Checked:
    """A checked draft.

    Attributes:
        text: The draft with masked personal data.
        reason: Why the draft is dropped; "" if it may be shown.
    """

    text: str
    reason: str = ""


def check_drafts(
    drafts: Sequence[str], scorer: Scorer, longest_copied: Callable[[str], int] | None = None
) -> list[Checked]:
    """Check drafts.

    Args:
        drafts: The drafts.
        scorer: Model that scores the emotion of a draft.
        longest_copied: callback(draft) that returns the length of the longest passage that the draft shares with the
            training data, in words. None: the drafts are answers of the answer book, which are meant to be copied.
    """
    texts = [" ".join(text.split()) for text in mask(pa.array(list(drafts), pa.string())).to_pylist()]
    longest = LONGEST_ANSWER if longest_copied is None else LONGEST_WRITTEN
    reasons = [_reason(text, longest) for text in texts]
    if longest_copied is not None:
        for number, text in enumerate(texts):
            if not reasons[number] and longest_copied(text) > MOST_COPIED:
                reasons[number] = COPIED
    for number, found in enumerate(speaks_of_crisis(texts)):
        reasons[number] = reasons[number] or (OF_CRISIS if found else "")
    left = [number for number, reason in enumerate(reasons) if not reason]
    for number, label in zip(left, scorer.score([texts[number] for number in left]).labels, strict=True):
        reasons[number] = ANGRY if is_anger(label) else ""
    return [Checked(text, reason) for text, reason in zip(texts, reasons, strict=True)]


def is_anger(label: str) -> bool:
    """Return whether the name of a label means anger, such as 분노 or 화남/분노."""
    words = _BETWEEN.split(unicodedata.normalize("NFKC", label).replace("_", " ").casefold())
    return bool(_ANGER & set(words))


def _reason(text: str, longest: int) -> str:
    if len(text) < 2:
        return TOO_SHORT
    if len(text) > longest:
        return TOO_LONG
    composed = unicodedata.normalize("NFC", text)
    hangul, letters = len(_HANGUL.findall(composed)), sum(map(str.isalpha, composed))
    if not hangul or 2 * hangul < letters or any(unicodedata.category(one) in _CONTROL for one in text):
        return NOT_KOREAN
    return REPEATED if _LOOP.search(composed) else ""
