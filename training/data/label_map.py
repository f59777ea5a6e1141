"""From a corpus's own labels to the classes of a model."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.messages import first_line, listed
from emojob.schemas.settings import read_toml

#: A text counts as of one class where the heaviest class weighs at least this many times the next.
CLEAR = 1.3

#: The keys of a label map that list labels to leave out.
DROP_KEYS = ("drop", "dropped")

LABEL_MAPS = Path(__file__).parent / "label_maps"
#: The label maps that come with the package.
BUILT_IN = ("kote", "goemotions")

_EXAMPLE = '[labels], then lines such as "기쁨" = ["행복", "즐거움"] and drop = ["기타"]'


@dataclass(frozen=True)
class LabelNames:
    """A label map as it is written: which of a corpus's labels each of the model's labels stands for.

    where: the map, for messages; members: of each of the model's labels, in the map's order; dropped: left out by name.
    """

    where: str
    members: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = Counter([label for labels in self.members.values() for label in labels] + list(self.dropped))
        twice = [label for label, times in given.items() if times > 1]
        if twice:
            raise OptionError(f"{self.where} has labels given twice: {listed(twice)}; give each of them one place")

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's labels."""
        return tuple(self.members)

    def class_of(self, known: Sequence[str] = ()) -> dict[str, str]:
        """The class of each label that has one: those of the map, and each class itself (of the map or `known`)."""
        found = {label: name for name, labels in self.members.items() for label in labels}
        named = {*found, *self.dropped}
        return found | {name: name for name in (*self.classes, *known) if name not in named}

    def as_table(self) -> dict[str, list[str]]:
        """The map as it stands in a TOML file under [labels]."""
        table = {name: list(labels) for name, labels in self.members.items()}
        return table | ({"drop": list(self.dropped)} if self.dropped else {})


def read_label_map(name_or_path: str | None) -> LabelNames | None:
    """Read a label map by name (kote, goemotions) or from a TOML file; None for None. Raises as `label_names`."""
    return None if name_or_path is None else label_names(name_or_path)


def label_names(name_or_path: str) -> LabelNames:
    """Read a label map by name (kote, goemotions) or from a TOML file.

    Raises OptionError where it is missing, is not TOML, names a label twice, or holds what is no list of labels.
    """
    built_in = name_or_path in BUILT_IN
    path = LABEL_MAPS / f"{name_or_path}.toml" if built_in else Path(name_or_path)
    where = f"--label-map {name_or_path}"
    try:
        whole = read_toml(path)
    except FileNotFoundError:
        raise OptionError(f"{where} does not exist; give {' or '.join(BUILT_IN)}, or a TOML file: {_EXAMPLE}") from None
    except OSError as error:
        raise OptionError(f"{where} cannot be read: {error.strerror}; give a TOML file: {_EXAMPLE}") from None
    except ValueError as error:  # not TOML, or not UTF-8
        reason = first_line(error)
        raise OptionError(f"{where} is not TOML in UTF-8: {reason}; write {_EXAMPLE}") from None
    table = whole.pop("labels", {})
    if not isinstance(table, dict):
        raise OptionError(f"{where}: labels is {table!r:.80}, which should be a table; write {_EXAMPLE}")
    return _from_table({**whole, **table}, where, [key for key in whole if key in table])


def _from_table(table: Mapping[str, object], where: str, twice: Sequence[str]) -> LabelNames:
    if twice:
        raise OptionError(f"{where} has {listed(twice)} both under [labels] and before it; write it once")
    members: dict[str, tuple[str, ...]] = {}
    dropped: list[str] = []
    for name, labels in table.items():
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise OptionError(
                f"{where}: {listed([name])} is {labels!r:.80}, which should be a list of labels in quotes; "
                f"write {_EXAMPLE}"
            )
        if not name.strip():
            raise OptionError(f"{where} has a label without a name on the left; write {_EXAMPLE}")
        if name in DROP_KEYS:
            dropped += map(canonical, labels)
        else:
            members[canonical(name)] = (*members.get(canonical(name), ()), *map(canonical, labels))
    if not members and not dropped:
        raise OptionError(f"{where} names no label; write {_EXAMPLE}")
    return LabelNames(where, members, tuple(dropped))


def canonical(label: str) -> str:
    """A label without outer spaces, its Hangul composed, so that what looks the same is the same."""
    return unicodedata.normalize("NFC", label).strip()


def counted(labels: Mapping[str, int], most: int = 60) -> str:
    """Labels with their counts for a message, on one line, the most frequent first, at most so many."""
    first = sorted(labels.items(), key=lambda one: (-one[1], one[0]))
    shown = [f"{listed([label])} ({count:,})" for label, count in first[:most]]
    more = f", ... ({len(first) - most:,} more)" if len(first) > most else ""
    return ", ".join(shown) + more


@dataclass(frozen=True)
class LabelMap:
    """Which class each of a corpus's labels belongs to.

    weights: float32 [labels, classes]; a label weighs 1 / the number of labels in its class, a dropped one nothing.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]

    @classmethod
    def from_names(
        cls, names: LabelNames, labels: Sequence[str], classes: tuple[str, ...] = DEFAULT_LABELS
    ) -> LabelMap:
        """names: the map; labels: all those of the corpus.

        Raises OptionError where a label of the corpus stands nowhere, or the map has an unknown class or label.
        """
        class_of = {label: name for name, members in names.members.items() for label in members}
        problems = {
            f"unknown classes (known are {', '.join(classes)})": [one for one in names.classes if one not in classes],
            "unknown labels": [label for label in (*class_of, *names.dropped) if label not in labels],
            "unmapped labels": [label for label in labels if label not in class_of and label not in names.dropped],
        }
        for problem, which in problems.items():
            if which:
                raise OptionError(
                    f"{names.where} has {problem}: {listed(which)}; put each label of the corpus under one class, "
                    "or under drop"
                )
        return cls.weighed(names, class_of, labels, classes)

    @classmethod
    def weighed(
        cls, names: LabelNames, class_of: Mapping[str, str], labels: Sequence[str], classes: tuple[str, ...]
    ) -> LabelMap:
        """The weights of some of a map's labels; one that is in no class weighs nothing."""
        weights = np.zeros((len(labels), len(classes)), np.float32)
        for number, label in enumerate(labels):
            name = class_of.get(label)
            if name in classes:
                weights[number, classes.index(name)] = 1 / max(1, len(names.members.get(name, ())))
        return cls(classes, weights)

    def soft(self, marks: NDArray[np.float32], sharpness: float = 1.0) -> NDArray[np.float32]:
        """Class weights of texts, summing to 1: float32 [texts, classes], NaN where no label is in a class.

        marks: float32 [texts, labels], 1 where a label was given. sharpness: the power that the weights are raised
        to; above 1 the heaviest class gets more, towards the hard labels.
        """
        weights = (marks @ self.weights) ** sharpness
        total = weights.sum(1, keepdims=True)
        return np.where(total > 0, weights / np.where(total > 0, total, 1), np.float32(np.nan)).astype(np.float32)

    def hard(self, marks: NDArray[np.float32]) -> NDArray[np.int64]:
        """The one class of each text, int64 [texts]; -1 where no class is clearly the heaviest."""
        weights = marks @ self.weights
        # one column more, of zeros, as there may be one class alone
        second, first = np.sort(np.pad(weights, ((0, 0), (1, 0))), axis=1)[:, -2:].T
        # a hair of tolerance: 1.3 times a third is not exact in floating point
        return np.where((first > 0) & (first >= CLEAR * second - 1e-6), weights.argmax(1), -1)
