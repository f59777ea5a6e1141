"""Prepares distinct texts for the engine, and converts the probabilities to one label for each row."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.inference.engines.engine import BATCH_TOKENS, EngineChoice
from emojob.pipeline.inference.memo import Keys, Memo
from emojob.pipeline.models import model
from emojob.pipeline.models.tokenizer import Encoded
from emojob.schemas.arrow_text import unwrapped
from emojob.schemas.columns import EMPTY, SCORED, STATUSES, TRUNCATED
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.options import ModelOptions


@dataclass(frozen=True)
class Prepared:
    """Tokenized texts for the engine. Each distinct text occurs once.

    For a model with the context `previous`, each item is a distinct pair (previous text, text).

    Attributes:
        encoded: Tokens of the distinct texts.
        keys: uint64 [distinct, 2], the memo key of each distinct text. The memo caches probabilities.
        index: int64 [rows]. The text of row i is `encoded[index[i]]`. If row i is null, `index[i]` is -1.
    """

    encoded: Encoded
    keys: Keys
    index: NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """Labels and probabilities of texts, in the order of the texts.

    Attributes:
        names: Labels of the model, ordered by label id.
        emotions: int32 [rows], label id of each row; -1 if the row has no text.
        probabilities: float32 [rows, labels]; NaN if the row has no text. Each other row sums to 1, unless a text can
            carry several labels.
        statuses: int32 [rows], indexes into schemas.columns.STATUSES.
        thresholds: float32 [labels], the probability at which a text carries each label; None if a text has exactly
            one label.
    """

    names: tuple[str, ...]
    emotions: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    statuses: NDArray[np.int32]
    thresholds: NDArray[np.float32] | None = None

    @property
    def labels(self) -> list[str]:
        """Return the label of each row; "" if the row has no text."""
        names = [*self.names, ""]
        return [names[i] for i in self.emotions.tolist()]

    @property
    def confidences(self) -> NDArray[np.float32]:
        """Return the highest probability of each row, float32 [rows]; NaN if the row has no text."""
        found: NDArray[np.float32] = self.probabilities.max(axis=1, initial=-1)
        return np.where(self.emotions >= 0, found, np.float32(np.nan)).astype(np.float32)

    @property
    def carried(self) -> NDArray[np.bool_]:
        """Return which labels each row carries, bool [rows, labels]. A row without text carries none."""
        if self.thresholds is None:
            found: NDArray[np.bool_] = np.arange(len(self.names)) == self.emotions[:, None]
            return found
        with np.errstate(invalid="ignore"):  # NaN: no text
            return self.probabilities >= self.thresholds

    @property
    def label_sets(self) -> list[list[str]]:
        """Return the labels that each row carries, the most probable first; [] if the row has no text."""
        return [labels or [] for labels in self.label_lists().to_pylist()]

    def label_lists(self) -> pa.ListArray:
        """Return `label_sets` as an Arrow array of lists of strings. A row without text is null."""
        order = np.argsort(-np.nan_to_num(self.probabilities), axis=1, kind="stable")
        carried = np.take_along_axis(self.carried, order, axis=1)
        offsets = np.concatenate([[0], np.cumsum(carried.sum(axis=1))]).astype(np.int32)
        flat = pa.array(self.names, pa.string()).take(pa.array(order[carried]))
        return pa.ListArray.from_arrays(offsets, flat, mask=pa.array(self.emotions < 0))


@dataclass
class Tally:
    """Counts of rows, tokens and batches in a run.

    Attributes:
        rows: Number of rows with text, including repeated texts.
        tokens: Number of tokens in all rows with text.
        repeated_rows: Number of rows that needed no inference, because their texts are repeated.
        inferred_rows: Number of rows that the engine labelled.
        inferred_tokens: Number of tokens in the rows that the engine labelled.
        padded_tokens: Number of padding tokens in the batches.
        batches: Number of batches that the engine labelled.
        halvings: Number of times that the token budget was halved, because a batch did not fit into memory.
    """

    rows: int = 0
    tokens: int = 0
    repeated_rows: int = 0
    inferred_rows: int = 0
    inferred_tokens: int = 0
    padded_tokens: int = 0
    batches: int = 0
    halvings: int = 0

    @property
    def memo_share(self) -> float:
        """Return how many of the rows with text needed no inference, as a share from 0 to 1."""
        return self.repeated_rows / self.rows if self.rows else 0.0

    def add(self, other: Tally) -> None:
        """Add the counts of another Tally."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class ScoringModel:
    """Base class of `Scorer`. It does not contain the engine, because the engine may run in another process.

    Attributes:
        model: The model.
        choice: The chosen engine, device and precision.
        options: The options, as returned by `resolve_options`.
        batch_tokens: Maximum number of tokens per batch; halved if a batch does not fit into memory.
        tally: Counts of rows, tokens and batches.
        memo: Cache of probabilities. A repeated text needs no inference.
    """

    def __init__(self, loaded: model.Model, choice: EngineChoice, options: ModelOptions) -> None:
        self.model = loaded
        self.choice = choice
        self.options = options
        self.batch_tokens = options.batch_tokens or BATCH_TOKENS[choice.device]
        self.tally = Tally()
        self.memo = Memo(len(loaded.labels))

    @property
    def depends_on(self) -> dict[str, str | None]:
        """Return the model and the settings that determine the probabilities of a text, as JSON."""
        return {
            "fingerprint": self.fingerprint,
            "engine": self.choice.engine,
            "device": self.choice.device,
            "precision": self.choice.precision,
            "calibrated_on": self.choice.calibrated_on,
        }

    @property
    def fingerprint(self) -> str:
        """Return a hash of weights, tokenizer, labels, maximum length and context."""
        return self.model.fingerprint_for(self.options.max_length)

    def prepare(self, texts: pa.Array, previous: pa.Array | None = None) -> Prepared:
        """Find the distinct texts and tokenize them.

        Args:
            texts: Array of strings, or of type null.
            previous: The previous utterance of each text, for a model with the context `previous`. The array can have
                nulls. Without the array (None), no text has a previous utterance.
        """
        texts = unwrapped(texts)
        if self.model.context == "previous":
            return self._prepare_pairs(texts, pa.nulls(len(texts)) if previous is None else previous)
        coded = texts.dictionary_encode()
        index = np.asarray(coded.indices.cast(pa.int64()).fill_null(-1))
        encoded = self.model.tokenizer.encode(coded.dictionary, self.options.max_length)
        return Prepared(encoded, self.memo.keys_of(encoded), index)

    def count_tokens(self, prepared: Prepared) -> tuple[int, int]:
        """Return (number of tokens, number of unknown tokens) in all rows, without [CLS] and [SEP]."""
        encoded = prepared.encoded
        if not len(encoded):
            return 0, 0
        control = (self.model.tokenizer.cls_id, self.model.tokenizer.sep_id)
        starts = encoded.offsets[:-1]
        tokens = np.add.reduceat((~np.isin(encoded.ids, control)).astype(np.int64), starts)
        unknown = np.add.reduceat((encoded.ids == self.model.tokenizer.unk_id).astype(np.int64), starts)
        rows = prepared.index[prepared.index >= 0]
        return int(tokens[rows].sum()), int(unknown[rows].sum())

    def _prepare_pairs(self, texts: pa.Array, previous: pa.Array) -> Prepared:
        """Find the distinct pairs (previous text, text) and tokenize them."""
        both = pa.concat_arrays([unwrapped(one).cast(pa.large_string()) for one in (previous, texts)])
        coded = both.dictionary_encode()
        codes = np.asarray(coded.indices.cast(pa.int64()).fill_null(-1))
        first, second = codes[: len(texts)], codes[len(texts) :]
        with_text = np.flatnonzero(second >= 0)
        each = len(coded.dictionary) + 1  # number of distinct texts, plus 1 for "no previous text"
        pairs, inverse = np.unique(second[with_text] * each + first[with_text] + 1, return_inverse=True)
        index = np.full(len(texts), -1)
        index[with_text] = inverse
        before = pa.array(pairs % each - 1, mask=pairs % each == 0)
        encoded = self.model.tokenizer.encode_with_previous(
            coded.dictionary.take(pa.array(pairs // each)), coded.dictionary.take(before), self.options.max_length
        )
        return Prepared(encoded, self.memo.keys_of(encoded), index)

    def label(self, prepared: Prepared, probabilities: NDArray[np.float32]) -> Scored:
        """Return the labels and probabilities of all rows.

        Args:
            prepared: The prepared texts.
            probabilities: float32 [distinct, labels], as returned by `Scorer.infer`.

        Raises:
            ModelError: The model returned NaN.
        """
        statuses = np.where(prepared.encoded.truncated, STATUSES.index(TRUNCATED), STATUSES.index(SCORED))
        statuses[prepared.encoded.lengths <= 2] = STATUSES.index(EMPTY)
        # the index of a null row is -1, so the last entry is for null rows
        statuses = np.append(statuses, STATUSES.index(EMPTY))[prepared.index].astype(np.int32)
        nothing = np.full((1, probabilities.shape[1]), np.nan, np.float32)
        rows = np.concatenate([probabilities, nothing])[prepared.index]
        with_text = statuses != STATUSES.index(EMPTY)
        if np.isnan(rows[with_text]).any():
            precision = self.choice.precision
            advice = "give another model" if precision == "fp32" else "give --precision fp32, or another model"
            raise ModelError(f"{self.model.name} returned NaN with the precision {precision}: {advice}")
        emotions = np.where(with_text, np.nan_to_num(rows).argmax(axis=1), -1).astype(np.int32)
        thresholds = self.model.thresholds
        return Scored(
            self.model.labels,
            emotions,
            rows,
            statuses,
            None if thresholds is None else np.array(thresholds, np.float32),
        )


def resolve_options(options: ModelOptions, loaded: model.Model) -> ModelOptions:
    """Check the options against the model, and set `context` to the context of the model.

    Args:
        options: The options that the user gave.
        loaded: The model.

    Raises:
        OptionError: `context` differs from the context of the model, or `max_length` is too large for the model.
    """
    if options.context not in (None, loaded.context):
        raise OptionError(
            f"--context {options.context}: {loaded.name} was trained with --context {loaded.context}; give --context "
            f"{loaded.context}, or a model that was trained with --context {options.context}"
        )
    if options.max_length > loaded.shape.max_positions:
        raise OptionError(
            f"--max-length {options.max_length} is too large for {loaded.name}: "
            f"give at most {loaded.shape.max_positions}"
        )
    return replace(options, context=loaded.context)
