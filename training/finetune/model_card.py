"""The card of a model that `emojob train` made: README.md of its folder, in the form of a Hugging Face model card."""

from __future__ import annotations

import json
from string import Template
from typing import Any

_CARD = Template("""\
---
language: ko
library_name: transformers
pipeline_tag: text-classification
tags: [korean, emotion, kobert, emojob]
---

# $title

Labels a Korean utterance$context with one of $number labels: $labels. Fine-tuned with emojob from $base.

## How well it does

$figures

Calibration: $calibration.

## How it was made

| data | read as | rows | rejected | sha256 |
| --- | --- | ---: | ---: | --- |
$data

$counts

$parts Epoch $epoch_kept of $epochs is kept. recipe.json has every setting, the files' hashes and the versions;
metrics.json all figures; training.html and curves.png show them, where the packages that draw were installed.

## How to use it

```
emojob score ARCHIVE.parquet --model THIS_FOLDER
```

Stock `transformers` opens the folder too (AutoTokenizer, AutoModelForSequenceClassification); divide the logits by
`emojob_temperature` of config.json before the softmax to get the same probabilities.

## What to know

It reads the first $max_length tokens, and knows only the kind of text that it was shown. The figures hold for texts
like those of its test part. The labels are guesses about how an utterance sounds: use them to sum up many utterances,
not to decide about a person. The licence is that of the data and of the base: add it here before you publish the model.
""")


def trained_card(base: str, metrics: dict[str, Any], calibration: str, made_with: dict[str, Any]) -> str:
    """The card as Markdown. metrics, made_with: as they stand in metrics.json and recipe.json."""
    labels, parts = made_with["labels"], made_with["parts"]
    counts = ", ".join(f"{number:,} {name}" for name, number in made_with["counts"].items())
    dropped = f", {parts['dropped']:,} dropped since they stand in another part" if parts["dropped"] else ""
    return _CARD.substitute(
        title=f"Emotions: {_inert(', '.join(labels))}",
        context=" behind the one before it" if made_with["context"] == "previous" else "",
        number=len(labels),
        labels=_inert(", ".join(labels)),
        base=_inert(base),
        figures=_figures(metrics["test"]) if "test" in metrics else "It was not measured: there was no test part.",
        calibration=calibration,
        data="\n".join(
            f"| {_inert(file['name'])} | {file['kind']} | {file['rows']:,} | {file['rejected']:,} | {file['sha256']} |"
            for file in made_with["data"]
        ),
        counts=f"Rows: {counts}.",
        parts=(
            f"{parts['train']:,} texts to learn from, {parts['validation']:,} to choose by, {parts['test']:,} to "
            f"measure on{dropped}."
        ),
        epoch_kept=metrics["epoch_kept"],
        epochs=metrics["epochs"],
        max_length=made_with["recipe"]["training"]["max_length"],
    )


def _figures(test: dict[str, Any]) -> str:
    lines = [
        f"On {test['texts']:,} texts that it did not learn from: accuracy {test['accuracy']:.3f} (always the most "
        f"frequent class: {test['most_frequent']:.3f}), macro-F1 {test['macro_f1']:.3f}, expected calibration error "
        f"{test['calibration_error']:.3f}.",
        "",
        "| class | texts | precision | recall | F1 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, one in test["classes"].items():
        shares = " | ".join(f"{one[figure]:.3f}" for figure in ("precision", "recall", "f1"))
        lines.append(f"| {_inert(name)} | {one['support']:,} | {shares} |")
    return "\n".join(lines)


def _inert(text: str) -> str:
    """A name from the user's files or labels, as Markdown that means nothing but itself."""
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(f"\\{c}" if c in "|<>[]`*_#" else c for c in plain)
