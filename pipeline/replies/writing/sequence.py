"""Turns questions, emotions and answers into the token sequences of a GPT-2 model, and tokens into text.

A sequence is `<usr>` question `<unused1>` emotion `<sys>` answer `</s>`, with the control tokens of KoGPT2. A text
never becomes a control token: `</s>` in a question is tokenized as ordinary characters.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tokenizers import Encoding, Tokenizer

#: Control tokens of a sequence.
QUESTION, EMOTION, ANSWER, END = "<usr>", "<unused1>", "<sys>", "</s>"
PAD, UNKNOWN, MASK = "<pad>", "<unk>", "<mask>"

#: The control tokens that a tokenizer must have.
REQUIRED = (QUESTION, ANSWER, EMOTION, END, PAD)

_CONTROL = re.compile(r"</?(?:s|d|usr|sys|pad|unk|mask|unused\d+)>")
_CHARACTERS_PER_TOKEN = 64  # texts are cut to this many characters for each token, because no token is longer


class Sequences:
    """Makes token sequences, and turns token ids into text.

    Attributes:
        tokenizer: A copy of the tokenizer, which treats control tokens in a text as ordinary characters.
        tokens: Number of tokens: the largest token id plus 1.
        end: Token id of `</s>`.
        pad: Token id of `<pad>`.
        control: Token ids of the control tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Create from a tokenizer that has the tokens in `REQUIRED`.

        Raises:
            KeyError: A token is missing. The message is the token.
        """
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.encode_special_tokens = True
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        ids = self.tokenizer.get_vocab(with_added_tokens=True)
        self._question, self._answer, self._emotion, self.end, self.pad = (ids[token] for token in REQUIRED)
        self._unknown = ids.get(UNKNOWN, -1)
        self.tokens = max(ids.values()) + 1
        special = {one["id"] for one in json.loads(tokenizer.to_str())["added_tokens"] if one["special"]}
        self.control = frozenset(special | {one for token, one in ids.items() if _CONTROL.fullmatch(token)})

    def prompt(self, text: str, emotion: str, most: int) -> list[int]:
        """Return the token ids of `<usr>` text `<unused1>` emotion `<sys>`.

        White space is folded to one space, and control characters count as white space. A text that is too long keeps
        its beginning.

        Args:
            text: The question; may be empty.
            emotion: Name of the emotion; may be empty.
            most: Maximum number of token ids, at least 3.
        """
        feeling = self._encode(emotion, most - 3)
        return self._framed(self._encode(text, most - 3 - len(feeling)), feeling)

    def example(self, question: str, emotion: str, answer: str, most: int) -> tuple[list[int], int]:
        """Return the token ids of a sequence for training, and the number of ids of the prompt, which the loss ignores.

        If the sequence is too long, the longer one of question and answer loses tokens from the end first, as in a
        pair of KoBERT's tokenizer.

        Args:
            question: The question.
            emotion: Name of the emotion.
            answer: The answer.
            most: Maximum number of token ids, at least 4.
        """
        feeling = self._encode(emotion, most - 4)
        room = most - 4 - len(feeling)
        asked, replied = self._encode(question, room), self._encode(answer, room)
        kept = min(len(asked), max(room - len(replied), room // 2))
        prompt = self._framed(asked[:kept], feeling)
        return [*prompt, *replied[: room - kept], self.end], len(prompt)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids, without control tokens, control characters and surplus white space."""
        known = [one for one in ids if 0 <= one < self.tokens and one not in self.control]
        text = self.tokenizer.decode(known, skip_special_tokens=True).replace("\ufffd", "")
        while (cleaned := _CONTROL.sub("", text)) != text:  # spelled out, character by character
            text = cleaned
        return _fold(text)

    def _framed(self, question: Sequence[int], emotion: Sequence[int]) -> list[int]:
        return [self._question, *question, self._emotion, *emotion, self._answer]

    def _encode(self, text: str, most: int) -> list[int]:
        """Return at most `most` token ids of a text, without control tokens."""
        if most < 1:
            return []
        text = _fold(text)[: most * _CHARACTERS_PER_TOKEN]
        encoded = self.tokenizer.encode(text, add_special_tokens=False)
        places = self._control_places(text, encoded)
        if not places:
            return list(encoded.ids[:most])
        # The tokenizer took characters of the text for a control token: cut them apart behind the first one.
        cuts = [0, *(place + 1 for place in places), len(text)]
        parts = [text[start:end] for start, end in pairwise(cuts)]
        pieces = self.tokenizer.encode_batch(parts, add_special_tokens=False)
        ids = [one for piece in pieces for one in piece.ids if one == self._unknown or one not in self.control]
        return ids[:most]

    def _control_places(self, text: str, encoded: Encoding) -> list[int]:
        """Return where control tokens begin in a text; not `<unk>`, unless the text spells it."""
        return [
            start
            for one, (start, end) in zip(encoded.ids, encoded.offsets, strict=True)
            if one in self.control
            and (one != self._unknown or UNKNOWN in unicodedata.normalize("NFKC", text[start:end]))
        ]


def _fold(text: str) -> str:
    """Return a text with each run of white space, control characters and lone surrogates folded to one space."""
    return " ".join("".join(" " if unicodedata.category(one) in ("Cc", "Cs") else one for one in text).split())
