"""Writes answers with a GPT-2 model, many at a time.

The longest prompts come first. A finished sequence leaves the batch, and new prompts take the free slots. What is
written for a prompt does not depend on the other prompts, except where the logits of the two best tokens differ by less
than 1e-4: a matrix product of another size can round differently.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from emojob.pipeline.replies.writing.decoder import Decoder
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2
from emojob.pipeline.replies.writing.sampling import NGrams, draws, forbid, sample
from emojob.schemas.errors import Interrupted, OptionError

_CACHE_BYTES = 1 << 30  # maximum size of the keys and values
_PROMPT_TOKENS = 1024  # maximum number of tokens of the prompts that are read at once; `stopping` waits for them
_SIMILAR = 0.75  # sequences in one cache have at least this share of the longest one's tokens


@dataclass(frozen=True)
class GenerationOptions:
    """How answers are written.

    Attributes:
        max_new_tokens: Maximum number of tokens of an answer.
        no_repeat_ngram: No sequence of this many tokens occurs twice in a prompt and its answer; 0 allows repetitions.
        temperature: 0 always takes the most probable token; larger values take random ones.
        top_p: Random tokens are the most probable ones that have this probability together.
        seed: Seed of the random numbers.
        batch_rows: Maximum number of answers that are written at a time.
    """

    max_new_tokens: int = 48
    no_repeat_ngram: int = 3
    temperature: float = 0.0
    top_p: float = 0.9
    seed: int = 0
    batch_rows: int = 64

    def __post_init__(self) -> None:
        checks = {
            "max_new_tokens": (self.max_new_tokens >= 1, "at least 1"),
            "no_repeat_ngram": (self.no_repeat_ngram >= 0, "0 or more"),
            "temperature": (0 <= self.temperature <= 100, "from 0 to 100"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "batch_rows": (self.batch_rows >= 1, "at least 1"),
        }
        for name, (is_right, wanted) in checks.items():
            if not is_right:
                raise OptionError(f"{name} is {getattr(self, name)}, but it must be {wanted}")


@dataclass(frozen=True)
class Generated:
    """An answer.

    Attributes:
        ids: Token ids, without the prompt and without `</s>`.
        ended: Whether the model ended the answer with `</s>`; False if the answer was cut.
        score: Geometric mean of the probabilities of the tokens, with `</s>`, 0 to 1; 0 without tokens. The last digits
            depend on the batch.
    """

    ids: list[int]
    ended: bool
    score: float = field(default=0.0, compare=False)


def generate(
    gpt2: Gpt2,
    prompts: Sequence[Sequence[int]],
    options: GenerationOptions | None = None,
    keys: Sequence[int] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Generated]:
    """Write an answer for each prompt.

    Prompt and answer together have at most as many tokens as the model has positions, so the answer to a long prompt is
    cut. There is no answer to an empty prompt, and to one that fills all positions.

    Args:
        gpt2: The model.
        prompts: Token ids of the prompts.
        options: How answers are written; None for the defaults.
        keys: A number for each prompt. An answer with random tokens depends on the seed, the key and the prompt. None
            numbers the prompts.
        stopping: callback() that returns whether to stop; called before each token.

    Raises:
        Interrupted: `stopping` returned True.
    """
    options = options or GenerationOptions()
    given = [
        _Answer(number, prompt, key, min(options.max_new_tokens, gpt2.positions - len(prompt)), options)
        for number, (prompt, key) in enumerate(zip(prompts, keys or range(len(prompts)), strict=True))
    ]
    possible = sorted((one for one in given if one.ids and one.most > 0), key=lambda one: -len(one.ids))
    with torch.inference_mode():
        decoder = _decoder(gpt2)
        for slots, group in _groups(possible, decoder, options.batch_rows):
            _Batch(decoder, options, gpt2.sequences.end, slots, group).run(stopping)
    return [Generated(one.ids[one.start :], one.ended, one.score) for one in given]


class _Answer:
    """A sequence that is being written."""

    def __init__(self, number: int, prompt: Sequence[int], key: int, most: int, options: GenerationOptions) -> None:
        self.number, self.ids, self.start, self.most, self.ended = number, list(prompt), len(prompt), most, False
        self.ngrams = NGrams(options.no_repeat_ngram, prompt)
        self.draws = draws(options.seed, key, max(0, most)) if options.temperature else None
        self._log_probabilities: list[float] = []

    @property
    def longest(self) -> int:
        """Largest number of tokens that the sequence can have."""
        return self.start + max(0, self.most)

    @property
    def score(self) -> float:
        """The geometric mean of the probabilities of the tokens so far; 0 without tokens."""
        found = self._log_probabilities
        return math.exp(sum(found) / len(found)) if found else 0.0

    def append(self, token: int, log_probability: float, end: int) -> bool:
        """Add a token with its log probability, and return whether the answer is finished."""
        self._log_probabilities.append(log_probability)
        self.ended = token == end
        if self.ended:
            return True
        self.ids.append(token)
        self.ngrams.append(token)
        return len(self.ids) == self.longest


class _Batch:
    """Answers that are written at the same time. The answer in slot i is answers[i]."""

    def __init__(
        self, decoder: Decoder, options: GenerationOptions, end: int, slots: int, waiting: Iterable[_Answer]
    ) -> None:
        self._decoder, self._options, self._end = decoder, options, end
        self._waiting = list(waiting)[::-1]
        self._cache = decoder.new_cache(slots, max(one.longest for one in self._waiting))
        self._answers: list[_Answer] = []

    def run(self, stopping: Callable[[], bool]) -> None:
        """Write all answers. Raises Interrupted."""
        while self._answers or self._waiting:
            if stopping():
                raise Interrupted("interrupted: to resume, run the same command again")
            free = self._cache.slots - len(self._answers)
            if self._waiting and (free >= max(1, self._cache.slots // 8) or not self._answers):
                self._read_prompts(free)
            else:
                self._write_tokens()

    def _read_prompts(self, free: int) -> None:
        """Read the next prompts into free slots, and write the first token of each answer."""
        count = min(free, len(self._waiting), max(1, _PROMPT_TOKENS // len(self._waiting[-1].ids)))
        added = [self._waiting.pop() for _ in range(count)]
        lengths = [len(one.ids) for one in added]
        ids = [one.ids + [0] * (max(lengths) - len(one.ids)) for one in added]
        first = len(self._answers)
        logits = self._decoder.read_prompts(self._tensor(ids), self._tensor(lengths), self._cache, first)
        self._answers += added
        self._append(first, logits)

    def _write_tokens(self) -> None:
        """Write one token of each answer."""
        ids = self._tensor([one.ids[-1] for one in self._answers])
        positions = self._tensor([len(one.ids) - 1 for one in self._answers])
        self._append(0, self._decoder.next_logits(ids, positions, self._cache))

    def _append(self, first: int, logits: Tensor) -> None:
        """Add a token to the answers from slot `first`, and take out finished answers."""
        answers = self._answers[first:]
        sums = logits.logsumexp(-1)  # before `forbid`, because the score is that of the model
        forbid(logits, [one.ngrams.repeated_by() for one in answers])
        if self._options.temperature:
            numbers = [float(one.draws[len(one.ids) - one.start]) for one in answers if one.draws is not None]
            tokens = sample(logits, self._options.temperature, self._options.top_p, numbers)
        else:
            tokens = logits.argmax(-1).tolist()
        log_probabilities = (logits.gather(1, self._tensor(tokens)[:, None])[:, 0] - sums).tolist()
        chosen = zip(answers, tokens, log_probabilities, strict=True)
        finished = [one.append(token, log_probability, self._end) for one, token, log_probability in chosen]
        for place in reversed([place for place, is_finished in enumerate(finished, first) if is_finished]):
            last = self._answers.pop()
            if place < len(self._answers):
                self._answers[place] = last
                self._cache.move(len(self._answers), place)

    def _tensor(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(numbers, device=self._decoder.device)


def _groups(answers: Sequence[_Answer], decoder: Decoder, rows: int) -> Iterator[tuple[int, Sequence[_Answer]]]:
    """Yield (number of slots, answers that share a cache). The answers are sorted, the longest one first."""
    while answers:
        longest = max(one.longest for one in answers)
        token_bytes = 2 * 4 * decoder.layers * decoder.heads * decoder.size
        slots = max(1, min(rows, len(answers), _CACHE_BYTES // (token_bytes * longest)))
        count = next((i for i, one in enumerate(answers) if one.longest < _SIMILAR * longest), len(answers))
        count = max(count, slots)
        yield min(slots, count), answers[:count]
        answers = answers[count:]


_decoders: weakref.WeakKeyDictionary[object, tuple[object, Decoder]] = weakref.WeakKeyDictionary()


def _decoder(gpt2: Gpt2) -> Decoder:
    """Return the decoder of a model. It is made again after the model's weights have changed."""
    state = [(id(one), one.data_ptr(), 0 if one.is_inference() else one._version) for one in gpt2.model.parameters()]
    made = _decoders.get(gpt2.model)
    if made is None or made[0] != state:
        made = _decoders[gpt2.model] = (state, Decoder(gpt2.model))
    return made[1]
