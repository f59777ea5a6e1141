"""Measure which settings of the default training recipe help: change one at a time.

    python tests/benchmarks/recipe_choices.py BASE DATA... [--test FILE] [--label-map kote] [--seeds 2] [--only NAME]

BASE is the base model of users (pipeline/assets/default_model, or another encoder). DATA are annotated files with
texts or labels that it has not learned. Prints for each change the mean macro-F1 and accuracy on the test split (or
on FILE), and the differences from the default recipe on the same splits. CONTRIBUTING.md has the results.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path

import click

from emojob.training.finetune.options import TrainOptions
from emojob.training.finetune.recipe import TrainRecipe, read_train_recipe
from emojob.training.finetune.run import train_model

CHANGES: dict[str, dict[str, object]] = {
    "default": {},
    "half the learning rate": {"learning_rate": 0.5},
    "twice the learning rate": {"learning_rate": 2.0},
    "no layer decay": {"layer_decay": 1.0},
    "no class weights": {"class_weights": 0.0},
    "full class weights": {"class_weights": 1.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "dropout 0.5": {"dropout": 0.5},
    "last epoch": {"keep": "last", "patience": 0},
    "batches of 16": {"batch": 16},
    "cosine": {"schedule": "cosine"},
}


def changed(recipe: TrainRecipe, change: dict[str, object], seed: int) -> TrainRecipe:
    """Return the recipe with one change; a change of the learning rate is a factor."""
    values = dict(change)
    if "learning_rate" in values:
        values["learning_rate"] = recipe.training.learning_rate * float(str(values["learning_rate"]))
    return dataclasses.replace(
        recipe,
        training=dataclasses.replace(recipe.training, seed=seed, **values),
        split=dataclasses.replace(recipe.split, seed=seed),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--test", type=Path, help="evaluate on this file; default: a tenth of the data")
    parser.add_argument("--label-map")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", action="append", help="changes to try; default: all")
    given = parser.parse_args()
    recipe = read_train_recipe()
    first: tuple[float, float] | None = None
    for name in given.only or CHANGES:
        figures, begun = [], time.perf_counter()
        for seed in range(given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "model"
                test = (given.test,) if given.test else ()
                options = TrainOptions(tuple(given.data), out, test=test, base=given.base, label_map=given.label_map)
                train_model(options, changed(recipe, CHANGES[name], seed))
                metrics = json.loads((out / "metrics.json").read_text())
                figures.append((metrics["test"]["macro_f1"], metrics["test"]["accuracy"], metrics["epoch_kept"]))
        f1, accuracy = (sum(one[i] for one in figures) / len(figures) for i in (0, 1))
        first = first or (f1, accuracy)
        click.echo(
            f"{name:25} macro-F1 {f1:.4f} ({f1 - first[0]:+.4f})  accuracy {accuracy:.4f} ({accuracy - first[1]:+.4f})"
            f"  epochs kept {[one[2] for one in figures]}  {time.perf_counter() - begun:,.0f} s",
        )


if __name__ == "__main__":
    main()
