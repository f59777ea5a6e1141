"""Read the recipe of the default model from a TOML file, and check the values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojob.pipeline.models.bert import BertShape
from emojob.schemas.errors import OptionError
from emojob.schemas.settings import read_toml
from emojob.training.data.label_map import LabelMap, read_label_names
from emojob.training.data.published import GOEMOTIONS_LABELS, KOTE_LABELS
from emojob.training.finetune.recipe import between, check_keys, fill

DEFAULT_RECIPE = Path(__file__).parent / "recipe.toml"

SECTIONS = ("model", "corpus", "pretraining", "fine_tuning", "teacher", "distillation", "labels")
CORPORA = ("kote", "goemotions", "dialogue", "reviews")
REPEATED = ("kote", "goemotions", "chat")
TASKS = ("classes", "kote", "goemotions", "rating")

_COMPARE = "take them from training/default_model/recipe.toml"


@dataclass(frozen=True)
class CorpusRecipe:
    """Section [corpus] of the recipe: length of the texts, and held-out texts.

    Attributes:
        max_length: Maximum number of tokens in a text.
        held_out: Number of KOTE texts that are not used for training.
        held_out_seed: Random seed for choosing the held-out texts.
    """

    max_length: int
    held_out: int
    held_out_seed: int

    def __post_init__(self) -> None:
        between("corpus.max_length", self.max_length, 3, 4096)
        between("corpus.held_out", self.held_out, 1, 1_000_000)


@dataclass(frozen=True)
class PretrainingRecipe:
    """Section [pretraining] of the recipe. recipe.toml explains each setting."""

    cycles: tuple[int, ...]
    batch_tokens: int
    learning_rate: float
    warmup: int
    decay: float
    weight_decay: float
    masked: float
    rating_weight: float
    window: int
    repeats: dict[str, int]
    seed: int

    def __post_init__(self) -> None:
        between("pretraining.cycles: number of cycles", len(self.cycles), 1, 1000)
        for tokens in self.cycles:
            between("pretraining.cycles", tokens, 1, 10**13)
        between("pretraining.batch_tokens", self.batch_tokens, 1, 10**7)
        between("pretraining.learning_rate", self.learning_rate, 1e-9, 1)
        between("pretraining.warmup", self.warmup, 0, 10**13)
        between("pretraining.decay", self.decay, 0, 1)
        between("pretraining.weight_decay", self.weight_decay, 0, 1)
        between("pretraining.masked", self.masked, 0.01, 0.9)
        between("pretraining.rating_weight", self.rating_weight, 0, 100)
        between("pretraining.window", self.window, 1, 64)
        check_keys("pretraining.repeats", self.repeats, dict.fromkeys(REPEATED, int), _COMPARE)
        for corpus, times in self.repeats.items():
            between(f"pretraining.repeats {corpus}", times, 0, 1000)

    @property
    def tokens(self) -> int:
        """Return the total number of tokens in all cycles of the pre-training."""
        return sum(self.cycles)


@dataclass(frozen=True)
class Phase:
    """A training phase: a number of epochs with the same settings.

    Attributes:
        name: Name of the phase in progress reports.
        epochs: Number of epochs.
        learning_rate: Highest learning rate of the phase.
        shares: {corpus: how often an epoch uses the corpus}. 0.5: a random half; 3.0: all texts, three times.
        weights: {task: weight of the loss}.
    """

    name: str
    epochs: int
    learning_rate: float
    shares: dict[str, float]
    weights: dict[str, float]

    def __post_init__(self) -> None:
        where = f"phase {self.name!r}"
        between(f"{where} epochs", self.epochs, 1, 10_000)
        between(f"{where} learning_rate", self.learning_rate, 1e-9, 1)
        _numbers(f"{where} shares", self.shares, CORPORA)
        _numbers(f"{where} weights", self.weights, TASKS)
        if not any(self.shares.values()):
            raise OptionError(f"recipe: all shares of {where} are 0, so the phase has no texts; set a share above 0")


@dataclass(frozen=True)
class FineTuningRecipe:
    """Section [fine_tuning] of the recipe. recipe.toml explains each setting."""

    batch_tokens: int
    warmup: float
    weight_decay: float
    dropout: float
    sharpness: float
    balance: float
    average: float
    seed: int
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        between("fine_tuning.batch_tokens", self.batch_tokens, 1, 10**7)
        between("fine_tuning.warmup", self.warmup, 0, 1)
        between("fine_tuning.weight_decay", self.weight_decay, 0, 1)
        between("fine_tuning.dropout", self.dropout, 0, 0.9)
        between("fine_tuning.sharpness", self.sharpness, 0.1, 100)
        between("fine_tuning.balance", self.balance, 0, 1)
        between("fine_tuning.average", self.average, 0, 0.9999)
        between("fine_tuning: number of phases", len(self.phases), 1, 100)


@dataclass(frozen=True)
class TeacherRecipe:
    """Section [teacher] of the recipe. recipe.toml explains each setting."""

    base: str
    prefix: str
    max_length: int
    reviews: int
    average: float
    seed: int
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        between("teacher.max_length", self.max_length, 3, 4096)
        between("teacher.reviews", self.reviews, 0, 10**9)
        between("teacher.average", self.average, 0, 0.9999)
        between("teacher: number of phases", len(self.phases), 1, 100)


@dataclass(frozen=True)
class DistillationRecipe:
    """Section [distillation] of the recipe. recipe.toml explains each setting."""

    trust: float
    share: float
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        between("distillation.trust", self.trust, 0, 1)
        between("distillation.share", self.share, 0, 1)
        between("distillation: number of phases", len(self.phases), 1, 100)


@dataclass(frozen=True)
class ModelRecipe:
    """All settings of the default model."""

    shape: BertShape
    corpus: CorpusRecipe
    pretraining: PretrainingRecipe
    fine_tuning: FineTuningRecipe
    teacher: TeacherRecipe
    distillation: DistillationRecipe
    kote: LabelMap
    goemotions: LabelMap

    def __post_init__(self) -> None:
        for size, value in dataclasses.asdict(self.shape).items():
            if size not in ("pad_id", "layer_norm_eps"):
                between(f"model.{size}", value, 1, 10**6)
        if self.shape.hidden_size % self.shape.heads:
            raise OptionError(
                f"recipe: model.hidden_size is {self.shape.hidden_size}, but must be a multiple of model.heads "
                f"({self.shape.heads}); change model.hidden_size or model.heads"
            )
        between(
            "corpus.max_length (model.max_positions is the limit)", self.corpus.max_length, 3, self.shape.max_positions
        )


def read_recipe(path: Path = DEFAULT_RECIPE) -> ModelRecipe:
    """Read the recipe of the default model from a TOML file.

    Raises:
        OptionError: The file is missing, is not valid TOML, or contains a wrong value.
    """
    try:
        table = read_toml(path)
    except FileNotFoundError:
        raise OptionError(
            f"the recipe {path} does not exist; give the path of a TOML file, for example {DEFAULT_RECIPE}"
        ) from None
    except ValueError as error:
        raise OptionError(
            f"the recipe {path} is not valid TOML: {error}; correct the file, or start from a copy of {DEFAULT_RECIPE}"
        ) from None
    check_keys("the recipe", table, dict.fromkeys(SECTIONS, dict), _COMPARE)
    check_keys("labels", table["labels"], {"kote": str, "goemotions": str}, _COMPARE)
    pretraining = dict(table["pretraining"])
    if isinstance(pretraining.get("cycles"), list):
        pretraining["cycles"] = tuple(pretraining["cycles"])
    return ModelRecipe(
        shape=fill(BertShape, table["model"], "model", _COMPARE),
        corpus=fill(CorpusRecipe, table["corpus"], "corpus", _COMPARE),
        pretraining=fill(PretrainingRecipe, pretraining, "pretraining", _COMPARE),
        fine_tuning=fill(FineTuningRecipe, _with_phases(table, "fine_tuning"), "fine_tuning", _COMPARE),
        teacher=fill(TeacherRecipe, _with_phases(table, "teacher"), "teacher", _COMPARE),
        distillation=fill(DistillationRecipe, _with_phases(table, "distillation"), "distillation", _COMPARE),
        kote=LabelMap.from_names(read_label_names(table["labels"]["kote"]), KOTE_LABELS),
        goemotions=LabelMap.from_names(read_label_names(table["labels"]["goemotions"]), GOEMOTIONS_LABELS),
    )


def _with_phases(table: dict[str, Any], section: str) -> dict[str, Any]:
    phases = table[section].get("phases", [])
    if not isinstance(phases, list) or not all(isinstance(phase, dict) for phase in phases):
        raise OptionError(
            f"recipe: {section}.phases is {phases!r}, which is not a list of tables; begin each phase with "
            f"[[{section}.phases]]"
        )
    return {**table[section], "phases": tuple(fill(Phase, phase, f"{section}.phases", _COMPARE) for phase in phases)}


def _numbers(where: str, table: dict[str, float], names: tuple[str, ...]) -> None:
    check_keys(where, table, dict.fromkeys(names, float), _COMPARE)
    for name, value in table.items():
        between(f"{where} {name}", value, 0, 1e6)
