"""How `emojob train` fine-tunes: a frozen dataclass that checks itself, and the TOML files that fill it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojob.schemas.errors import OptionError
from emojob.schemas.options import MAX_LENGTHS
from emojob.schemas.settings import read_toml
from emojob.training.default_model.recipe import between, check_keys, fill

RECIPES = Path(__file__).parent / "recipes"
NAMES = ("default", "seed")

SCHEDULES = ("cosine", "linear", "constant")
KEEPS = ("best", "last")
SPLITS = ("stratified", "plain")
PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class TrainingRecipe:
    """[training]: the recipe files say what each one means."""

    epochs: int
    batch: int
    learning_rate: float
    schedule: str
    warmup: float
    weight_decay: float
    clip: float
    dropout: float
    layer_decay: float
    class_weights: float
    label_smoothing: float
    keep: str
    patience: int
    log_every: int
    max_length: int
    precision: str
    seed: int
    accumulation: int = 1

    def __post_init__(self) -> None:
        between("training.epochs", self.epochs, 1, 100_000)
        between("training.batch", self.batch, 1, 1_000_000)
        between("training.accumulation", self.accumulation, 1, self.batch)
        between("training.learning_rate", self.learning_rate, 1e-9, 1)
        one_of("training.schedule", self.schedule, SCHEDULES)
        between("training.warmup", self.warmup, 0, 1)
        between("training.weight_decay", self.weight_decay, 0, 1)
        between("training.clip", self.clip, 1e-6, 1e6)
        between("training.dropout", self.dropout, 0, 0.95)
        between("training.layer_decay", self.layer_decay, 0.1, 1)
        between("training.class_weights", self.class_weights, 0, 1)
        between("training.label_smoothing", self.label_smoothing, 0, 0.9)
        one_of("training.keep", self.keep, KEEPS)
        between("training.patience", self.patience, 0, 100_000)
        between("training.log_every", self.log_every, 1, 1_000_000)
        between("training.max_length", self.max_length, *MAX_LENGTHS)
        one_of("training.precision", self.precision, PRECISIONS)
        between("training.seed", self.seed, 0, 2**31)


@dataclass(frozen=True)
class SplitRecipe:
    """[split]: what is kept apart. Shares of the texts."""

    test: float
    validation: float
    how: str
    seed: int

    def __post_init__(self) -> None:
        between("split.test", self.test, 0, 0.9)
        between("split.validation", self.validation, 0, 0.9)
        between("split.test + split.validation", self.test + self.validation, 0, 0.95)
        one_of("split.how", self.how, SPLITS)
        between("split.seed", self.seed, 0, 2**31)


@dataclass(frozen=True)
class TrainRecipe:
    """A whole recipe of `emojob train`."""

    training: TrainingRecipe
    split: SplitRecipe

    def __post_init__(self) -> None:
        if self.training.keep == "best" and not self.split.validation:
            raise OptionError(
                'recipe: training.keep is "best", but split.validation is 0: nothing tells which epoch is best; '
                'give split.validation a share such as 0.1, or keep the "last" epoch'
            )
        if self.training.patience and self.training.keep != "best":
            raise OptionError(
                f'recipe: training.patience is {self.training.patience}, but training.keep is "{self.training.keep}"; '
                'set it to 0, or keep the "best" epoch'
            )

    def as_dict(self) -> dict[str, Any]:
        """The recipe as it stands in a model folder's recipe.json."""
        return dataclasses.asdict(self)


def read_train_recipe(name: str = "default") -> TrainRecipe:
    """Read a recipe by name (default, seed) or from a TOML file.

    Raises OptionError where it is missing, is not TOML, or says what cannot be.
    """
    path = RECIPES / f"{name}.toml" if name in NAMES else Path(name)
    try:
        table = read_toml(path)
    except FileNotFoundError:
        raise OptionError(
            f"--recipe {name} does not exist: give {', '.join(NAMES)}, or a .toml file like {RECIPES / 'default.toml'}"
        ) from None
    except OSError as error:
        raise OptionError(
            f"--recipe {name} cannot be read: {error.strerror}; give {', '.join(NAMES)}, or a .toml file"
        ) from None
    except ValueError as error:  # not TOML, not UTF-8, nested too deeply, or a name that cannot be
        raise OptionError(f"--recipe {name} is not TOML: {error}; compare it with {RECIPES / 'default.toml'}") from None
    check_keys("the recipe", table, {"training": dict, "split": dict})
    return TrainRecipe(
        training=fill(TrainingRecipe, table["training"], "training"), split=fill(SplitRecipe, table["split"], "split")
    )


def one_of(where: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise OptionError unless a recipe's value is one of a few words."""
    if value not in allowed:
        raise OptionError(f"recipe: {where} is {value!r}, which should be one of {', '.join(allowed)}; correct it")
