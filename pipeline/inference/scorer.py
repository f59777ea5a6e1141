"""Labels texts in this process: distinct texts -> tokens -> memo (cached probabilities) -> batches -> engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference import engine_choice
from emojob.pipeline.inference.batching import Packed, pack, token_batches
from emojob.pipeline.inference.engines.engine import Engine, OutOfMemory, probabilities_of
from emojob.pipeline.inference.memo import LONGEST
from emojob.pipeline.inference.scoring_model import Prepared, Scored, ScoringModel, resolve_options
from emojob.pipeline.models import model
from emojob.pipeline.models.tokenizer import SURROGATE, Encoded
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import StopRequested
from emojob.schemas.errors import InputError, ModelError, OptionError
from emojob.schemas.options import ModelOptions
from emojob.schemas.settings import check_arguments, field_types


class Scorer(ScoringModel):
    """A model and its engine in this process, with a memo (cached probabilities of repeated texts).

    Attributes:
        engine: The engine that runs the model.
    """

    def __init__(self, loaded: model.Model, engine: Engine, options: ModelOptions) -> None:
        super().__init__(loaded, engine.choice, options)
        self.engine = engine

    @classmethod
    def load(
        cls,
        name: str | PathLike[str] | None = None,
        options: ModelOptions | None = None,
        may_measure: bool = False,
        note: Callable[[str], None] = lambda text: None,
        threads: int | None = None,
        calibration_texts: Callable[[], list[str]] | None = None,
        **settings: Any,
    ) -> Scorer:
        """Load a model and start an engine.

        Args:
            name: Folder, URL or Hugging Face name of the model. None: `options.model`.
            options: Options of the model and the engine. None: the defaults.
            may_measure: Whether to measure the speed of the engines if no speed is saved. Use True for large jobs.
            note: callback(message), called before each slow step, and for messages about the model.
            threads: Number of threads of the tokenizer and the engine. None: one thread per core.
            calibration_texts: callback() that returns the texts for int8 calibration; called only if int8 is a
                candidate. None: the sample texts. Example:
                `reading.calibration.calibration_texts(options.calibration)`.
            settings: Fields of `ModelOptions`, such as device or precision. They replace the fields of `options`.

        Raises:
            ModelError: The model cannot be used.
            OptionError: An option does not fit the model, or requires an engine or device that is unavailable.
        """
        options = options or ModelOptions()
        settings = check_arguments("Scorer.load", settings, field_types(ModelOptions))
        if name is not None:
            settings["model"] = fspath(name)
        options = replace(options, **settings)
        if options.calibration is not None and calibration_texts is None:
            raise OptionError(
                f"--calibration {options.calibration}: Scorer.load does not read this file; give the argument "
                f"`calibration_texts`, a function that returns the texts"
            )
        engine_choice.choices(options, hardware.detect())  # fail early if the engine or device is unavailable
        loaded = model.load(options.model, threads or hardware.cores(), options.threshold)
        for line in loaded.notes:
            note(line)
        return cls.start(loaded, resolve_options(options, loaded), may_measure, note, threads, calibration_texts)

    @classmethod
    def start(
        cls,
        loaded: model.Model,
        options: ModelOptions,
        may_measure: bool = False,
        note: Callable[[str], None] = lambda text: None,
        threads: int | None = None,
        calibration_texts: Callable[[], list[str]] | None = None,
    ) -> Scorer:
        """Choose an engine for a loaded model and start it.

        Args:
            loaded: The model.
            options: Options from `resolve_options`.
            may_measure: Whether to measure the speed of the engines if no speed is saved. Use True for large jobs.
            note: callback(message), called before each slow step.
            threads: Number of threads of the engine. None: one thread per core.
            calibration_texts: callback() that returns the texts for int8 calibration. None: the sample texts.

        Raises:
            OptionError: The options require an engine or device that is unavailable on this machine.
        """
        texts = calibration_texts or sample_texts
        return cls(loaded, engine_choice.select_engine(options, loaded, threads, may_measure, note, texts), options)

    def infer(self, prepared: Prepared, stopping: Callable[[], bool] = lambda: False) -> NDArray[np.float32]:
        """Return the probabilities of distinct texts, float32 [distinct, labels]. A text without tokens gets NaN.

        Args:
            prepared: The prepared texts.
            stopping: callback() that returns True if the run must stop; called before each batch.

        Raises:
            StopRequested: `stopping` returned True.
            ModelError: The memory of the device is too small for a single text.
        """
        lengths = prepared.encoded.lengths
        probabilities = np.full((len(prepared.encoded), len(self.model.labels)), np.nan, np.float32)
        short = np.flatnonzero((lengths > 2) & (lengths <= LONGEST))
        known, found = self.memo.find(prepared.keys[short])
        probabilities[short[known]] = found
        missing = np.union1d(short[~known], np.flatnonzero(lengths > LONGEST))
        # different texts may have the same tokens, so label each key only once
        keys, first, inverse = np.unique(
            prepared.keys[missing].view("u8,u8").reshape(-1), return_index=True, return_inverse=True
        )
        fresh = self._run(prepared.encoded, missing[first], stopping)
        probabilities[missing] = fresh[inverse]
        worth = (lengths[missing[first]] <= LONGEST) & np.isfinite(fresh).all(axis=1)
        self.memo.add(keys.view(np.uint64).reshape(-1, 2)[worth], fresh[worth])
        rows = lengths[prepared.index[prepared.index >= 0]]
        self.tally.rows += int((rows > 2).sum())
        self.tally.tokens += int(rows[rows > 2].sum())
        self.tally.repeated_rows += int((rows > 2).sum()) - len(fresh)
        return probabilities

    def score(self, texts: Sequence[str | None], previous: Sequence[str | None] | None = None) -> Scored:
        """Label a few texts, for example for `emojob predict` or in a notebook.

        Args:
            texts: Utterances. None is treated as an empty text.
            previous: The previous utterance of each text, or None if there is no previous utterance. Only for a model
                with the context `previous`.

        Raises:
            InputError: `texts` is not a list of str and None.
            OptionError: `previous` is given, but the model uses no previous utterances.
            OptionError: `previous` and `texts` differ in length.
            ModelError: The model returned NaN.
        """
        if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
            raise InputError(f"score() takes a list of texts, not {type(texts).__name__}: give a list such as [text]")
        texts = list(texts)
        if previous is not None and self.model.context != "previous":
            raise OptionError(
                f"{self.model.name} was trained with the context 'none', so it reads no previous utterance: leave out "
                f"--dialogue (in Python: `previous`), or give a model that was trained with --context previous"
            )
        if previous is not None and len(previous) != len(texts):
            raise OptionError(
                f"`texts` has {len(texts)} items, but `previous` has {len(previous)}: give one item of `previous` for "
                f"each text (None if there is no previous utterance)"
            )
        prepared = self.prepare(_column(texts), None if previous is None else _column(previous))
        return self.label(prepared, self.infer(prepared))

    def _run(self, encoded: Encoded, rows: NDArray[np.int64], stopping: Callable[[], bool]) -> NDArray[np.float32]:
        """Return the probabilities of `rows` from the engine: float32 [rows, labels]."""
        out = np.empty((len(rows), len(self.model.labels)), np.float32)
        left = np.arange(len(rows))
        while len(left):
            batches, done = [left[one] for one in self._cut(encoded.lengths[rows[left]])], 0
            try:
                for logits in self.engine.run(self._packed(encoded, rows, batches, stopping)):
                    out[batches[done]] = probabilities_of(logits, self.model)
                    done += 1
            except OutOfMemory:
                self._halve(encoded.lengths[rows[batches[done]]])
            left = np.concatenate([left[:0], *batches[done:]])
        return out

    def _cut(self, lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return token_batches(lengths, self.batch_tokens, self.engine.layout)

    def _packed(
        self, encoded: Encoded, rows: NDArray[np.int64], batches: list[NDArray[np.int64]], stopping: Callable[[], bool]
    ) -> Iterator[Packed]:
        """Yield the batches for the engine, and count their rows and tokens in `self.tally`."""
        for batch in batches:
            if stopping():
                raise StopRequested
            packed = pack(encoded, rows[batch], self.batch_tokens, self.engine.layout)
            yield packed
            self.tally.batches += 1
            self.tally.padded_tokens += packed.padding
            self.tally.inferred_rows += len(batch)
            self.tally.inferred_tokens += len(packed.ids) - packed.padding

    def _halve(self, lengths: NDArray[np.int64]) -> None:
        """Halve the token budget if a batch is too large for the memory. Raises ModelError for a batch of one text."""
        if len(lengths) == 1:
            raise ModelError(
                f"{self.model.name} cannot label a text of {lengths[0]} tokens, because the memory of "
                f"{self.choice.device} is too small: give --device cpu, or a smaller --max-length"
            ) from None
        self.batch_tokens = max(1, int(lengths.sum()) // 2)
        self.tally.halvings += 1


def _column(texts: Sequence[str | None]) -> pa.Array:
    """Return the texts as an Arrow column. Raises InputError for values that are not texts."""
    for i, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            raise InputError(f"item {i} of the list of texts has the type {type(text).__name__}: give str or None")
    # Arrow and SentencePiece reject lone surrogates (from a terminal or a JSON escape)
    return pa.array([text and SURROGATE.sub("\ufffd", text) for text in texts], pa.large_string())
