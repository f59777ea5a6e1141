"""Read the recipe of `emojob train` from a TOML file, and check the values."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from emojob.schemas import settings
from emojob.schemas.errors import OptionError
from emojob.schemas.options import MAX_LENGTHS
from emojob.schemas.settings import read_toml
from emojob.training.data.splits import WAYS

RECIPES = Path(__file__).parent / "recipes"
NAMES = ("default", "seed")

#: Minimum number of logged values of a run.
FEWEST_LOGGED = 20

SCHEDULES = ("cosine", "linear", "constant")
KEEPS = ("best", "last")
PRECISIONS = ("auto", "fp32", "bf16")

_T = TypeVar("_T")

_COMPARE = "take them from training/finetune/recipes/default.toml"

#: Maximum number of recipes that extend each other.
_MOST_EXTENDED = 10


@dataclass(frozen=True)
class TrainingRecipe:
    """Section [training] of the recipe. recipes/default.toml explains each setting."""

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
    test_each_epoch: bool = False

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
    """Section [split] of the recipe: how to split the texts into train, validation and test."""

    test: float
    validation: float
    how: str
    seed: int

    def __post_init__(self) -> None:
        between("split.test", self.test, 0, 0.9)
        between("split.validation", self.validation, 0, 0.9)
        between("split.test + split.validation", self.test + self.validation, 0, 0.95)
        one_of("split.how", self.how, WAYS)
        between("split.seed", self.seed, 0, 2**31)


@dataclass(frozen=True)
class TrainRecipe:
    """Recipe of `emojob train`: the sections [training] and [split]."""

    training: TrainingRecipe
    split: SplitRecipe

    def __post_init__(self) -> None:
        if self.training.keep == "best" and not self.split.validation:
            raise OptionError(
                'recipe: training.keep is "best", but split.validation is 0, so no texts are left for selecting the '
                'best epoch; set split.validation to 0.1, or set training.keep to "last"'
            )
        if self.training.patience and self.training.keep != "best":
            raise OptionError(
                f"recipe: training.patience is {self.training.patience}, but training.keep is "
                f'"{self.training.keep}"; set training.patience to 0, or set training.keep to "best"'
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as a dict for recipe.json."""
        return dataclasses.asdict(self)


def read_train_recipe(name: str = "default", **replaced: float | None) -> TrainRecipe:
    """Read a recipe from the package or from a TOML file.

    A file contains only the settings that differ from another recipe: the recipe that the key `extends` names, or else
    the default recipe.

    Args:
        name: `default`, `seed` (the settings of the project that emojob continues), or the path of a TOML file.
        replaced: Values that replace settings of the section [training], such as `epochs=3`. None: keep the setting.

    Raises:
        OptionError: The recipe is missing, is not valid TOML, or contains a wrong value.
    """
    tables = _read_tables(name)
    settings_of_run = {key: value for key, value in replaced.items() if value is not None}
    return TrainRecipe(
        training=fill(TrainingRecipe, {**tables["training"], **settings_of_run}, "training", _COMPARE),
        split=fill(SplitRecipe, tables["split"], "split", _COMPARE),
    )


def with_steps(recipe: TrainRecipe, texts: int) -> TrainRecipe:
    """Return the recipe with a value of `log_every` that fits the number of steps.

    A short run would otherwise log nothing. At least FEWEST_LOGGED values are logged, unless the run has fewer steps.

    Args:
        recipe: The recipe.
        texts: Number of texts in the train split.
    """
    training = recipe.training
    steps = training.epochs * math.ceil(texts / training.batch)
    log_every = min(training.log_every, max(1, steps // FEWEST_LOGGED))
    return dataclasses.replace(recipe, training=dataclasses.replace(training, log_every=log_every))


def _read_tables(name: str, extending: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Return {section: {key: value}} of a recipe, with the settings of the recipes that the recipe extends.

    Args:
        name: A recipe name or the path of a file.
        extending: The recipes that extend this recipe, the outermost first.

    Raises:
        OptionError: A recipe cannot be read, contains an unknown key, or extends itself.
    """
    table = _read_table(name)
    own = {"training": dict, "split": dict}
    check_keys("the recipe", table, {"extends": str, **own}, _COMPARE, frozenset(("extends", *own)))
    if name in NAMES:
        return {section: table[section] for section in own}
    base = table.get("extends", "default")
    if base not in NAMES:
        base = str(Path(name).parent / base)
    if base in (*extending, name) or len(extending) >= _MOST_EXTENDED:
        raise OptionError(
            f"--recipe {name} extends {base}, which extends {name}: let one of them extend one of {', '.join(NAMES)}"
        )
    merged = _read_tables(base, (*extending, name))
    for section, kind in (("training", TrainingRecipe), ("split", SplitRecipe)):
        given = table.get(section, {})
        expected = settings.field_types(kind)
        check_keys(section, given, expected, _COMPARE, frozenset(expected))
        merged[section] = {**merged[section], **given}
    return merged


def _read_table(name: str) -> dict[str, Any]:
    path = RECIPES / f"{name}.toml" if name in NAMES else Path(name)
    try:
        return read_toml(path)
    except FileNotFoundError:
        raise OptionError(
            f"--recipe {name} does not exist: give {', '.join(NAMES)}, or a TOML file (see {RECIPES / 'default.toml'})"
        ) from None
    except OSError as error:
        raise OptionError(
            f"--recipe {name} cannot be read: {error.strerror}; give {', '.join(NAMES)}, or a TOML file"
        ) from None
    except ValueError as error:  # not TOML, not UTF-8, nested too deeply, or an invalid file name
        raise OptionError(
            f"--recipe {name} is not valid TOML: {error}; correct the file, or start from a copy of "
            f"{RECIPES / 'default.toml'}"
        ) from None


# -- checks of values; the messages begin with `recipe: KEY` ---------------------------------------------------------


def fill(kind: type[_T], table: dict[str, Any], section: str, compare: str) -> _T:
    """Create a dataclass from a table of a recipe.

    Args:
        kind: The dataclass.
        table: Keys and values of the table.
        section: Name of the table, for messages.
        compare: Advice for messages about missing keys, for example "take them from recipe.toml".

    Raises:
        OptionError: A key is missing or unknown, or a value has a wrong type.
    """
    return settings.fill(kind, table, f"recipe: {section}", compare)


def check_keys(
    section: str,
    table: dict[str, Any],
    expected: dict[str, Any],
    compare: str,
    optional: frozenset[str] = frozenset(),
) -> None:
    """Raise OptionError if a key is missing or unknown, or if a value does not have the expected type."""
    settings.check_keys(f"recipe: {section}", table, expected, compare, optional)


def between(key: str, value: float, low: float, high: float) -> None:
    """Raise OptionError if `value` is less than `low` or greater than `high`."""
    settings.between(f"recipe: {key}", value, low, high)


def one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise OptionError if `value` is not in `allowed`."""
    if value not in allowed:
        raise OptionError(f"recipe: {key} is {value!r}, which is not valid; give one of {', '.join(allowed)}")
