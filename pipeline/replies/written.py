"""The way `gpt2`: a GPT-2 model writes the drafts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from emojob.pipeline.replies.configuration import Gpt2Settings
from emojob.pipeline.replies.requests import Request
from emojob.pipeline.replies.writing.generation import GenerationOptions, generate
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2

_PROMPT_TOKENS = 96  # maximum number of tokens of a prompt
_DRAWN = 0.8  # temperature of the second draft and of later drafts, if the first one is not drawn


@dataclass(frozen=True)
class Written:
    """A text that the model wrote.

    Attributes:
        text: The text.
        score: Geometric mean of the probabilities of its tokens, 0 to 1, with two decimal places. The next places
            depend on the batch.
    """

    text: str
    score: float


@dataclass(frozen=True)
class WrittenWay:
    """A GPT-2 model that writes drafts.

    Attributes:
        gpt2: The model.
        longest_copied: callback(text) that returns the length of the longest passage that a text shares with the
            training data, in words.
    """

    gpt2: Gpt2
    longest_copied: Callable[[str], int]

    def write(
        self, requests: Sequence[Request], drafts: int, settings: Gpt2Settings, stopping: Callable[[], bool]
    ) -> list[list[Written]]:
        """Return `drafts` texts for each request.

        A text that did not end in time is cut behind its last sentence; it is empty if no sentence ended.

        Args:
            requests: The utterances to reply to.
            drafts: Number of drafts for each request. Only the first one is greedy if the temperature is 0.
            settings: Settings of the generation.
            stopping: callback() that returns True if the generation must stop.

        Raises:
            Interrupted: `stopping` returned True.
        """
        sequences = self.gpt2.sequences
        positions = self.gpt2.positions  # at least half of them are for the draft
        most = min(_PROMPT_TOKENS, max(positions // 2, positions - settings.max_new_tokens))
        prompts = [sequences.prompt(one.text, one.emotion or "", most) for one in requests]
        keys = [_key(one) for one in requests]
        first = GenerationOptions(
            max_new_tokens=settings.max_new_tokens, temperature=settings.temperature, seed=settings.seed
        )
        texts: list[list[Written]] = [[] for _ in requests]
        for number in range(drafts):
            options = first
            if number:
                options = replace(first, temperature=settings.temperature or _DRAWN, seed=settings.seed + number)
            for row, one in enumerate(generate(self.gpt2, prompts, options, keys, stopping)):
                text = sequences.decode(one.ids)
                texts[row].append(Written(text if one.ended else _cut(text), round(one.score, 2)))
        return texts


def _cut(text: str) -> str:
    """Return a text without its last sentence, which is incomplete."""
    return text[: max(text.rfind(mark) for mark in ".!?~") + 1]


def _key(request: Request) -> int:
    """Return a number that depends only on the request, so that the same request gets the same draft."""
    digest = hashlib.sha256(f"{request.emotion}\x00{request.text}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:7], "big")
