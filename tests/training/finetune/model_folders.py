"""Helpers of the fine-tuning tests: changed recipes, and the labels that transformers gives."""

import dataclasses
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from emojob.training.finetune.recipe import TrainRecipe


def change(recipe: TrainRecipe, **values: object) -> TrainRecipe:
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, **values))


def stock_labels(folder: Path, texts: list[str], pairs: list[str] | None = None) -> list[str]:
    """The labels that transformers gives to texts (and previous texts), in padded batches."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    found: list[int] = []
    for i in range(0, len(texts), 250):
        given = [texts[i : i + 250]] if pairs is None else [pairs[i : i + 250], texts[i : i + 250]]
        with torch.inference_mode():
            inputs = tokenizer(*given, padding=True, truncation=True, max_length=16, return_tensors="pt")
            found += model(**inputs).logits.argmax(1).tolist()
    return [model.config.id2label[i] for i in found]


def agreement(ours: list[str], theirs: list[str]) -> float:
    assert len(ours) == len(theirs)
    return sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(ours)


def same_weights(a: Path, b: Path) -> bool:
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (a, b))
    return ours.keys() == theirs.keys() and all(torch.equal(w, theirs[name]) for name, w in ours.items())
