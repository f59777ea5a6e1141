"""Measuring a model on annotated data, alone or beside another model: what `emojob evaluate` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.system import versions
from emojob.schemas.errors import DataError, ModelError
from emojob.schemas.options import ModelOptions
from emojob.training.data.annotated import AnnotatedCounts, annotate
from emojob.training.data.corpus import CorpusFile, CorpusOptions, read_corpus
from emojob.training.data.label_map import canonical, read_label_map
from emojob.training.evaluation.comparison import Comparison, compare
from emojob.training.evaluation.metrics import Evaluation, evaluate
from emojob.training.evaluation.predict import OnScored, score_annotated


@dataclass(frozen=True)
class Candidate:
    """A model and how well it did. engine: device and precision that it ran with."""

    name: str
    fingerprint: str
    context: str
    temperature: float
    max_length: int
    engine: str
    evaluation: Evaluation


@dataclass(frozen=True)
class Measurement:
    """One model, or two, measured on the same texts.

    counts: what became of the data's rows; wordless: texts that were kept, but hold nothing that a model could read.
    """

    files: tuple[CorpusFile, ...]
    counts: AnnotatedCounts
    wordless: int
    model: Candidate
    against: Candidate | None = None
    comparison: Comparison | None = None

    @property
    def data_line(self) -> str:
        """The data's counts in one line."""
        rejected = sum(file.rejected for file in self.files)
        return (
            f"{', '.join(file.name for file in self.files)}: {self.counts.summary()}"
            + (f"; {self.wordless:,} without a word left out" if self.wordless else "")
            + (f"; {rejected:,} rows could not be read" if rejected else "")
        )

    def as_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        found = {
            "data": {
                "files": [asdict(file) for file in self.files],
                "counts": asdict(self.counts) | {"wordless": self.wordless},
            },
            "model": _as_json(self.model),
        }
        if self.against and self.comparison:
            found["against"] = _as_json(self.against)
            found["comparison"] = self.comparison.as_json() | {"in_words": self.in_words}
        return found | {"versions": versions.installed_versions()}

    @property
    def in_words(self) -> str:
        """What the comparison says; "" where there is none."""
        if not (self.against and self.comparison):
            return ""
        return self.comparison.sentence(self.model.name, self.against.name)

    def facts(self) -> dict[str, str]:
        """What a page says of the models, data and versions."""
        models = {"model": self.model, "compared with": self.against}
        found = {
            role: f"{one.name}; fingerprint {one.fingerprint}, {one.engine}, at most {one.max_length} tokens, context "
            f"{one.context}, temperature {one.temperature:.4g}"
            for role, one in models.items()
            if one
        }
        for number, file in enumerate(self.files, 1):
            name = "data" if len(self.files) == 1 else f"data {number}"
            found[name] = f"{file.name}: {file.kind}, {file.rows:,} rows, {file.bytes:,} bytes, SHA-256 {file.sha256}"
        found["what became of its rows"] = self.counts.summary()
        return found | {
            "versions": ", ".join(f"{name} {version}" for name, version in versions.installed_versions().items())
        }


def measure(
    data: Sequence[Path],
    corpus: CorpusOptions,
    label_map: str | None,
    options: ModelOptions,
    against: str | None = None,
    on_scored: OnScored = lambda done, texts: None,
) -> Measurement:
    """Score annotated data with a model, and with another one where `against` names it, and compare.

    corpus: its context is overruled by that of the models. Raises InputError where a model or the data cannot be used,
    the data has labels that the model lacks, or the two models have different labels.
    """
    texts = calibration_texts(options.calibration)
    scorers = [Scorer.load(options=options, calibration_texts=texts)]
    if against is not None:
        other = replace(options, model=against, context=None)
        scorers.append(Scorer.load(options=other, calibration_texts=texts))
        _check_labels(*scorers)
    context = "previous" if any(one.model.context == "previous" for one in scorers) else "none"
    names = tuple(canonical(label) for label in scorers[0].model.labels)  # as the data's labels are spelt
    found = read_corpus(data, replace(corpus, context=context))
    annotated = annotate(found, read_label_map(label_map), names)
    if not annotated.texts:
        raise DataError(f"no labelled text is left of the data: {annotated.counts.summary()}; give other data")
    probabilities = score_annotated(scorers, annotated, on_scored)
    readable = ~np.isnan(probabilities).any((0, 2))
    if not readable.any():
        raise DataError("the data's texts hold nothing that the model can read: give other data")
    labels, each = annotated.labels[readable], probabilities[:, readable]
    candidates = [_candidate(one, evaluate(own, labels, names)) for one, own in zip(scorers, each, strict=True)]
    return Measurement(
        files=found.files,
        counts=annotated.counts,
        wordless=int((~readable).sum()),
        model=candidates[0],
        against=candidates[1] if against is not None else None,
        comparison=compare(each[0], each[1], labels, names) if against is not None else None,
    )


def _check_labels(ours: Scorer, other: Scorer) -> None:
    """Raises ModelError where two models cannot be compared, naming the labels that one of them alone has."""
    alone = {
        one.model.name: [label for label in one.model.labels if label not in two.model.labels]
        for one, two in ((ours, other), (other, ours))
    }
    told = [f"{name} alone has {', '.join(labels)}" for name, labels in alone.items() if labels]
    if told:
        raise ModelError(
            f"--against {other.model.name}: the models have different labels: {'; '.join(told)}; compare models of the "
            "same labels"
        )


def _candidate(scorer: Scorer, evaluation: Evaluation) -> Candidate:
    choice = scorer.choice
    return Candidate(
        name=scorer.model.name,
        fingerprint=scorer.fingerprint,
        context=scorer.model.context,
        temperature=scorer.model.temperature,
        max_length=scorer.options.max_length,
        engine=f"{choice.engine} on {choice.device} in {choice.precision}",
        evaluation=evaluation,
    )


def _as_json(one: Candidate) -> dict[str, Any]:
    return asdict(one) | {"evaluation": one.evaluation.as_json()}
