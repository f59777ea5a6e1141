"""Implements `emojob evaluate`: measures a model on annotated data, or compares two models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.model_folder import find_folder
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.system.versions import installed_versions
from emojob.schemas.errors import DataError, ModelError
from emojob.schemas.options import ModelOptions
from emojob.training.data.annotated import Annotated, AnnotatedCounts, annotate
from emojob.training.data.corpus import Corpus, CorpusFile, CorpusOptions, read_corpus
from emojob.training.data.label_map import canonical, read_label_map
from emojob.training.evaluation.comparison import Comparison, compare
from emojob.training.evaluation.metrics import Evaluation, evaluate
from emojob.training.evaluation.predict import OnScored, score_annotated
from emojob.training.evaluation.seen_texts import read_seen_texts, trained_files, warnings_about
from emojob.training.evaluation.words import Words, counts_line, model_shown, words_of


@dataclass(frozen=True)
class MeasuredModel:
    """A model and its metrics.

    Attributes:
        name: Folder or hub name of the model.
        fingerprint: Hash of the model, --max-length and the context.
        context: `none` or `previous`.
        temperature: Number by which the logits are divided before the softmax.
        max_length: Maximum number of tokens of a text.
        engine: Engine, device and precision, for example `torch on cpu in fp32`.
        evaluation: The metrics.
        warnings: Reasons why the metrics may be too good, in English.
        shown_warnings: The same in the language of the page. They are not part of `as_json`.
    """

    name: str
    fingerprint: str
    context: str
    temperature: float
    max_length: int
    engine: str
    evaluation: Evaluation
    warnings: tuple[str, ...] = ()
    shown_warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the settings and the metrics as dicts and lists for JSON."""
        found = asdict(self) | {"evaluation": self.evaluation.as_json(), "warnings": list(self.warnings)}
        del found["shown_warnings"]
        return found

    def summary(self, words: Words) -> str:
        """Return one line about the model: name, fingerprint, engine and settings."""
        return str(
            words["model_summary"].format(
                name=model_shown(self.name, words), fingerprint=self.fingerprint, engine=self.engine,
                max_length=self.max_length, context=self.context, temperature=f"{self.temperature:.4g}",
            )
        )  # fmt: skip


@dataclass(frozen=True)
class WrongText:
    """A text for which the model gives another label than the data.

    Attributes:
        text: The text as in the file. Mask it before you show it.
        label: The label in the data.
        predicted: The label that the model gives.
        confidence: The probability of `predicted`, from 0 to 1.
    """

    text: str
    label: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class Measurement:
    """Metrics of one model, or of two models on the same texts.

    Attributes:
        files: The annotated files.
        counts: Number of kept rows, and number of excluded rows for each reason.
        wordless: Number of texts that are excluded because they have no tokens.
        model: The measured model.
        against: The model given with --against; None without --against.
        comparison: The comparison of the two models; None without --against.
        notes: Lines about times that could not be read.
        wrong: Texts that the first model gets wrong, the most confident ones first. They are not part of `as_json`.
    """

    files: tuple[CorpusFile, ...]
    counts: AnnotatedCounts
    wordless: int
    model: MeasuredModel
    against: MeasuredModel | None = None
    comparison: Comparison | None = None
    notes: tuple[str, ...] = ()
    wrong: tuple[WrongText, ...] = ()

    def data_line(self, words: Words) -> str:
        """Return one line about the data: names of the files, and numbers of rows."""
        left_out = {"no_token": self.wordless, "unread": sum(file.rejected for file in self.files)}
        return (
            f"{', '.join(file.name for file in self.files)}: {counts_line(self.counts, words)}"
            + "".join(words[name].format(count=f"{count:,}") for name, count in left_out.items() if count)
            + "".join(f"; {note}" for note in self.notes)
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the warnings about both models, in the language of the page."""
        return self.model.shown_warnings + (self.against.shown_warnings if self.against else ())

    def in_words(self, words: Words | None = None) -> str:
        """Return the result of the comparison as a sentence; "" if there is no comparison."""
        if not (self.against and self.comparison):
            return ""
        words = words or words_of("en")
        ours, other = (model_shown(one.name, words) for one in (self.model, self.against))
        return self.comparison.sentence(ours, other, words)

    def as_json(self) -> dict[str, Any]:
        """Return the measurement as dicts and lists for JSON."""
        content = {
            "generator": "emojob",  # the first key shows that emojob may replace the file
            "data": {
                "files": [asdict(file) for file in self.files],
                "counts": asdict(self.counts) | {"wordless": self.wordless},
            },
            "model": self.model.as_json(),
        }
        if self.against and self.comparison:
            content["against"] = self.against.as_json()
            content["comparison"] = self.comparison.as_json() | {"in_words": self.in_words()}
        return content | {"versions": installed_versions()}

    def facts(self, words: Words) -> dict[str, str]:
        """Return {name: text} for the HTML page: facts about the models, the data and the versions."""
        facts = {words["fact_model"]: self.model.summary(words)}
        if self.against:
            facts[words["fact_against"]] = self.against.summary(words)
        for number, file in enumerate(self.files, 1):
            name = words["fact_data"] if len(self.files) == 1 else f"{words['fact_data']} {number}"
            facts[name] = words["fact_file"].format(
                name=file.name, kind=file.kind, rows=f"{file.rows:,}", bytes=f"{file.bytes:,}", sha256=file.sha256
            )
        facts[words["fact_rows"]] = counts_line(self.counts, words)
        facts[words["fact_versions"]] = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
        return facts


def measure(
    data: Sequence[Path],
    corpus: CorpusOptions,
    label_map: str | None,
    options: ModelOptions,
    against: str | None = None,
    on_scored: OnScored = lambda done, total: None,
    errors: int = 0,
    language: str = "en",
) -> Measurement:
    """Measure a model on annotated data. If `against` is given, also compare the two models.

    Args:
        data: Annotated files.
        corpus: Columns and encoding. `corpus.context` is ignored, because each model has a context setting.
        label_map: Name or path of a label map. None: use the labels as written in the files.
        options: The model, and the options for running the model.
        against: Folder or hub name of the model to compare with; None: no comparison.
        on_scored: callback(done, total), called after each chunk of texts.
        errors: Maximum number of texts in `Measurement.wrong`.
        language: Language of the warnings: en or ko.

    Raises:
        InputError: A model or a file cannot be used, or the labels do not match.
    """
    scorers = _load(options, against)
    context = "previous" if any(scorer.model.context == "previous" for scorer in scorers) else "none"
    names = tuple(canonical(label) for label in scorers[0].model.labels)  # `annotate` needs canonical label names
    read = read_corpus(data, replace(corpus, context=context))
    annotated = _with_labels(read, label_map, names)
    probabilities = score_annotated(scorers, annotated, on_scored)
    readable = ~np.isnan(probabilities).any((0, 2))
    if not readable.any():
        raise DataError("the texts contain no tokens, so they may be blank: check --text-column, or give other files")
    annotated = annotated.take(np.flatnonzero(readable))
    labels, probabilities = annotated.labels, probabilities[:, readable]
    models = [
        _measured(scorer, evaluate(of_model, labels, names), read, annotated, language)
        for scorer, of_model in zip(scorers, probabilities, strict=True)
    ]
    return Measurement(
        files=read.files,
        counts=annotated.counts,
        wordless=int((~readable).sum()),
        model=models[0],
        against=models[1] if against is not None else None,
        comparison=compare(probabilities[0], probabilities[1], labels, names) if against is not None else None,
        notes=read.notes,
        wrong=_wrong_texts(annotated, probabilities[0], names, errors),
    )


def _with_labels(read: Corpus, label_map: str | None, names: tuple[str, ...]) -> Annotated:
    """Return the texts that have one of the labels `names`. Raises DataError if there is none."""
    annotated = annotate(read, read_label_map(label_map), names)
    if not annotated.texts:
        raise DataError(
            f"the data has no text with a usable label ({annotated.counts.summary()}): give a label map with "
            f"--label-map, or give other files"
        )
    return annotated


def _wrong_texts(
    annotated: Annotated, probabilities: NDArray[np.float32], names: tuple[str, ...], most: int
) -> tuple[WrongText, ...]:
    """Return the texts that a model gets wrong with the highest confidence.

    Args:
        annotated: The texts.
        probabilities: float32 [texts, labels].
        names: The labels, in id order.
        most: Maximum number of texts.
    """
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != annotated.labels)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:most].tolist()
    return tuple(
        WrongText(annotated.texts[row], names[annotated.labels[row]], names[predicted[row]], float(confidence[row]))
        for row in rows
    )


def _load(options: ModelOptions, against: str | None) -> list[Scorer]:
    """Load the model to measure, and the model `against` if given."""
    texts = calibration_texts(options.calibration)
    scorers = [Scorer.load(options=options, calibration_texts=texts)]
    if against is not None:
        find_folder(against, "--against")  # called here, so that an error message names --against, not --model
        other = replace(options, model=against, context=None)
        scorers.append(Scorer.load(options=other, calibration_texts=texts))
        _check_labels(*scorers)
    for scorer in scorers:
        if scorer.model.is_multi:
            raise ModelError(
                f"{scorer.model.name} gives a text several labels, but `emojob evaluate` measures one label for each "
                "text: give a model with problem_type single_label_classification"
            )
    return scorers


def _check_labels(ours: Scorer, other: Scorer) -> None:
    """Raise ModelError if the models have different labels. The message lists the differences."""
    only_in = {
        one.model.name: [label for label in one.model.labels if label not in two.model.labels]
        for one, two in ((ours, other), (other, ours))
    }
    differences = [f"only {name} has {', '.join(labels)}" for name, labels in only_in.items() if labels]
    if differences:
        raise ModelError(
            f"--against {other.model.name} has other labels than {ours.model.name} ({'; '.join(differences)}): give a "
            f"model with the same labels"
        )


def _warnings(scorer: Scorer, corpus: Corpus, annotated: Annotated, words: Words) -> tuple[str, ...]:
    """Return the messages about the model, and warnings if the model was trained on the texts."""
    return scorer.model.notes + _seen_texts(scorer, corpus, annotated, words)


def _seen_texts(scorer: Scorer, corpus: Corpus, annotated: Annotated, words: Words) -> tuple[str, ...]:
    name, folder = model_shown(scorer.model.name, words), scorer.model.folder
    filters = read_seen_texts(folder)
    if filters:
        return tuple(warnings_about(filters, annotated, name, words))
    # a model of an earlier version has no record of its texts, but of its files
    files = trained_files(folder)
    seen = [file.name for file in corpus.files if file.sha256 in files]
    return (words["seen_files"].format(model=name, files=", ".join(seen)),) if seen else ()


def _measured(
    scorer: Scorer, evaluation: Evaluation, corpus: Corpus, annotated: Annotated, language: str
) -> MeasuredModel:
    choice = scorer.choice
    warnings, shown = (_warnings(scorer, corpus, annotated, words_of(one)) for one in ("en", language))
    return MeasuredModel(
        name=scorer.model.name,
        fingerprint=scorer.fingerprint,
        context=scorer.model.context,
        temperature=scorer.model.temperature,
        max_length=scorer.options.max_length,
        engine=f"{choice.engine} on {choice.device} in {choice.precision}",
        evaluation=evaluation,
        warnings=warnings,
        shown_warnings=shown,
    )
