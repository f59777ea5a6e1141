"""Measures a GPT-2 model on held-out pairs: perplexity, and what the drafts for their questions are like."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.replies.answers.tones import ToneClassifier
from emojob.pipeline.replies.bot_folder import builtin_way
from emojob.pipeline.replies.configuration import read_configuration
from emojob.pipeline.replies.words import TONES
from emojob.pipeline.replies.writing.copies import CopyIndex
from emojob.pipeline.replies.writing.generation import Generated, GenerationOptions, generate
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2
from emojob.training.replies.gpt2.packing import PackedLearner, Triple, encode_examples, measure_loss
from emojob.training.replies.gpt2.trainer import Gpt2Recipe

#: Maximum number of held-out questions for which drafts are written.
MOST_DRAFTS = 200

_MOST_NEW_TOKENS = 48


@dataclass(frozen=True)
class DraftMeasures:
    """What drafts are like. All shares are from 0 to 1, and NaN without drafts.

    Attributes:
        drafts: Number of drafts.
        ended: Share of the drafts that ended with `</s>`, before the limit of tokens.
        empty: Share of the drafts without text.
        distinct_2: Number of distinct pairs of neighbouring words, divided by the number of pairs, in all drafts. The
            more drafts, the lower: compare only equal numbers of drafts.
        repetition: Share of the drafts with a run of 4 tokens that occurs twice. The rule against repeated runs of 3
            tokens, which users have, is off here: with the rule, the share is always 0.
        copied: Share of the drafts that are the same as a training answer, or share more than 20 words in a row with
            one.
        copied_long: Share of the drafts that share more than 20 words in a row with a training answer.
        score: Median score of the drafts (see `Generated`). A bot drops drafts with a lower score than
            `gpt2.least_score` in replies.toml.
    """

    drafts: int
    ended: float
    empty: float
    distinct_2: float
    repetition: float
    copied: float
    copied_long: float
    score: float


@dataclass(frozen=True)
class Gpt2Measures:
    """What a model is like on held-out pairs.

    Attributes:
        pairs: Number of pairs.
        perplexity: Perplexity on the answers, with `</s>`.
        accuracy: Share of the tokens of the answers that the model ranks first.
        drafts: What the drafts for the questions are like.
    """

    pairs: int
    perplexity: float
    accuracy: float
    drafts: DraftMeasures


@dataclass(frozen=True)
class TrainingAnswers:
    """Training answers, for finding copies.

    Attributes:
        whole: The answers, with normalised white space.
        index: Their runs of 21 words.
    """

    whole: frozenset[str]
    index: CopyIndex

    @classmethod
    def of(cls, answers: Iterable[str]) -> TrainingAnswers:
        """Create from answers."""
        known = frozenset(" ".join(answer.split()) for answer in answers)
        return cls(known, CopyIndex.of(sorted(known)))


def measure_gpt2(
    gpt2: Gpt2,
    held_out: Sequence[Triple],
    known: TrainingAnswers,
    recipe: Gpt2Recipe,
    most_drafts: int = MOST_DRAFTS,
    stopping: Callable[[], bool] = lambda: False,
) -> Gpt2Measures:
    """Measure a model on held-out pairs.

    Args:
        gpt2: The model.
        held_out: Pairs that were not used for training.
        known: The training answers.
        recipe: The recipe, which limits the tokens of a pair.
        most_drafts: Maximum number of drafts. The questions are spread evenly over `held_out`.
        stopping: callback() that returns whether to stop.

    Raises:
        Interrupted: `stopping` returned True.
    """
    examples = encode_examples(held_out, gpt2.sequences, recipe.max_length)
    found = measure_loss(PackedLearner(gpt2.model), examples, recipe.row_tokens)
    triples = spread(held_out, most_drafts)
    written = write_drafts(gpt2, triples, recipe, stopping=stopping)
    free = write_drafts(gpt2, triples, recipe, no_repeat_ngram=0, stopping=stopping)
    texts = [gpt2.sequences.decode(one.ids) for one in written]
    scores = [one.score for one in written]
    drafts = measure_drafts(texts, [one.ended for one in written], [one.ids for one in free], known, scores)
    return Gpt2Measures(len(held_out), found.perplexity, found.accuracy, drafts)


def measure_tone(
    gpt2: Gpt2,
    prompts: Sequence[tuple[str, str]],
    recipe: Gpt2Recipe,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, float]:
    """Return the number of prompts, and the share whose draft has the tone that suits the emotion of the prompt.

    The default model predicts the emotion that the draft is written for, as in `emojob chat`. The tone of a draft is
    found as for the answers of a user's book (see `ToneClassifier`). An empty draft has no tone.

    Args:
        gpt2: The model.
        prompts: (text, emotion) of each prompt, at least one.
        recipe: The recipe, which limits the tokens of prompt and draft.
        stopping: callback() that returns whether to stop.

    Raises:
        Interrupted: `stopping` returned True.
    """
    texts = [text for text, _ in prompts]
    predicted = Scorer.load(precision="fp32").score(texts).labels
    triples = [(text, str(emotion), "") for text, emotion in zip(texts, predicted, strict=True)]
    drafts = [gpt2.sequences.decode(one.ids) for one in write_drafts(gpt2, triples, recipe, stopping=stopping)]
    configuration = read_configuration()
    wanted = [TONES.index(configuration.of(emotion).tone) for _, emotion in prompts]
    tones = ToneClassifier.of_builtin_book(builtin_way()[0].encoder).predict(drafts)
    agreed = [bool(draft) and tone == right for draft, tone, right in zip(drafts, tones, wanted, strict=True)]
    return {"prompts": len(prompts), "share": _share(agreed)}


def spread(held_out: Sequence[Triple], most: int) -> list[Triple]:
    """Return at most `most` pairs, at equal distances."""
    if len(held_out) <= most:
        return list(held_out)
    return [held_out[place] for place in np.linspace(0, len(held_out) - 1, most).astype(int).tolist()]


def write_drafts(
    gpt2: Gpt2,
    triples: Sequence[Triple],
    recipe: Gpt2Recipe,
    no_repeat_ngram: int = 3,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Generated]:
    """Return a greedy draft for the question and the emotion of each pair.

    Args:
        gpt2: The model.
        triples: The pairs; their answers are not used.
        recipe: The recipe, which limits the tokens of prompt and draft.
        no_repeat_ngram: Number of tokens in a row that a draft never repeats; 0: no limit.
        stopping: callback() that returns whether to stop.

    Raises:
        Interrupted: `stopping` returned True.
    """
    new = min(_MOST_NEW_TOKENS, recipe.max_length // 2)
    prompts = [gpt2.sequences.prompt(question, emotion, gpt2.positions - new) for question, emotion, _ in triples]
    options = GenerationOptions(max_new_tokens=new, no_repeat_ngram=no_repeat_ngram)
    return generate(gpt2, prompts, options, stopping=stopping)


def measure_drafts(
    texts: Sequence[str],
    ended: Sequence[bool],
    free: Sequence[Sequence[int]],
    known: TrainingAnswers,
    scores: Sequence[float] = (),
) -> DraftMeasures:
    """Measure drafts.

    Args:
        texts: The drafts.
        ended: Whether each draft ended with `</s>`.
        free: Token ids of drafts that were written without the rule against repeated runs of tokens.
        known: The training answers.
        scores: Scores of the drafts; empty for texts that no model wrote.
    """
    plain = [" ".join(text.split()) for text in texts]
    long = [known.index.longest_copied(text) > 0 for text in plain]
    copied = [text in known.whole or is_long for text, is_long in zip(plain, long, strict=True)]
    return DraftMeasures(
        drafts=len(texts),
        ended=_share(ended),
        empty=_share([not text for text in plain]),
        distinct_2=distinct_2(plain),
        repetition=_share([repeats(ids) for ids in free]),
        copied=_share(copied),
        copied_long=_share(long),
        score=statistics.median(scores) if scores else math.nan,
    )


def distinct_2(texts: Iterable[str]) -> float:
    """Return the number of distinct pairs of neighbouring words, divided by the number of pairs; NaN without pairs.

    The measure is from Li et al. (2016), "A Diversity-Promoting Objective Function for Neural Conversation Models".
    """
    pairs = Counter(pair for text in texts for pair in _runs(text.split(), 2))
    return len(pairs) / pairs.total() if pairs else math.nan


def repeats(ids: Sequence[int], tokens: int = 4) -> bool:
    """Return whether a run of `tokens` tokens occurs twice."""
    runs = _runs(ids, tokens)
    return len(set(runs)) < len(runs)


def _runs(items: Sequence[object], size: int) -> list[tuple[object, ...]]:
    return [tuple(items[start : start + size]) for start in range(len(items) - size + 1)]


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan
