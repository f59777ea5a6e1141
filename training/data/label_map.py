"""Label maps: from the labels of a corpus to the labels (classes) of a model."""

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

#: A text has a class if its heaviest class weighs at least this many times the next one.
CLEAR = 1.3

#: Keys of a label map that list the labels to leave out.
DROP_KEYS = ("drop", "dropped")

LABEL_MAPS = Path(__file__).parent / "label_maps"
#: The label maps that ship with the package.
BUILT_IN = ("kote", "goemotions")

_EXAMPLE = '[labels], then lines such as "기쁨" = ["행복", "즐거움"] and drop = ["기타"]'


@dataclass(frozen=True)
class LabelNames:
    """A label map by names: the corpus labels that each model label stands for.

    Attributes:
        where: The map's option and file, for messages.
        members: Corpus labels of each model label, in the order of the file.
        dropped: Corpus labels to leave out.
    """

    where: str
    members: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times = Counter([label for labels in self.members.values() for label in labels] + list(self.dropped))
        twice = [label for label, count in times.items() if count > 1]
        if twice:
            raise OptionError(f"{self.where} has labels given twice: {listed(twice)}; list each label once")

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's labels, in the order of the file."""
        return tuple(self.members)

    def class_of(self, known: Sequence[str] = ()) -> dict[str, str]:
        """Return the class of each label: the map's entries, and each class itself.

        Args:
            known: Further classes, such as a model's labels.
        """
        mapped = {label: name for name, labels in self.members.items() for label in labels}
        named = {*mapped, *self.dropped}
        return mapped | {name: name for name in (*self.classes, *known) if name not in named}

    def as_table(self) -> dict[str, list[str]]:
        """Return the map as the table [labels] of a TOML file."""
        table = {name: list(labels) for name, labels in self.members.items()}
        return table | ({"drop": list(self.dropped)} if self.dropped else {})


def read_label_map(name_or_path: str | None) -> LabelNames | None:
    """Read a label map as `read_label_names`; return None for None."""
    return None if name_or_path is None else read_label_names(name_or_path)


def read_label_names(name_or_path: str) -> LabelNames:
    """Read a label map by name (kote, goemotions) or from a TOML file.

    Raises:
        OptionError: The map is missing, is not TOML, has a label twice, or has a value that is not a list of labels.
    """
    built_in = name_or_path in BUILT_IN
    path = LABEL_MAPS / f"{name_or_path}.toml" if built_in else Path(name_or_path)
    where = f"--label-map {name_or_path}"
    try:
        content = read_toml(path)
    except FileNotFoundError:
        raise OptionError(f"{where} does not exist; give {' or '.join(BUILT_IN)}, or a TOML file: {_EXAMPLE}") from None
    except OSError as error:
        raise OptionError(f"{where} cannot be read: {error.strerror}; give a TOML file: {_EXAMPLE}") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise OptionError(f"{where} is not TOML in UTF-8: {first_line(error)}; write {_EXAMPLE}") from None
    table = content.pop("labels", {})
    if not isinstance(table, dict):
        raise OptionError(f"{where}: labels is {table!r:.80}, which should be a table; write {_EXAMPLE}")
    return _from_table({**content, **table}, where, [key for key in content if key in table])


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
    """Return a label without outer spaces, Hangul composed: labels that look the same are equal."""
    return unicodedata.normalize("NFC", label).strip()


def listed_with_counts(labels: Mapping[str, int], most: int = 60) -> str:
    """Return labels and their counts for a message, on one line, the most frequent first.

    Args:
        labels: Count of each label.
        most: Labels to show at most.
    """
    by_count = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{listed([label])} ({count:,})" for label, count in by_count[:most]]
    more = f", ... ({len(by_count) - most:,} more)" if len(by_count) > most else ""
    return ", ".join(shown) + more


@dataclass(frozen=True)
class LabelMap:
    """The weights of a corpus's labels in the classes of a model.

    Attributes:
        classes: The model's labels.
        weights: float32 [labels, classes]. A label weighs 1 / (number of labels in its class) in its class, and 0 in
            the others; a dropped label weighs 0.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]

    @classmethod
    def from_names(
        cls, names: LabelNames, labels: Sequence[str], classes: tuple[str, ...] = DEFAULT_LABELS
    ) -> LabelMap:
        """Return the weights of all labels of a corpus.

        Args:
            names: The map by names.
            labels: All labels of the corpus, in id order.
            classes: The model's labels, in id order.

        Raises:
            OptionError: A label of the corpus is not in the map, or the map has an unknown class or label.
        """
        class_of = {label: name for name, members in names.members.items() for label in members}
        problems = {
            f"unknown classes (known are {', '.join(classes)})": [
                name for name in names.classes if name not in classes
            ],
            "unknown labels": [label for label in (*class_of, *names.dropped) if label not in labels],
            "unmapped labels": [label for label in labels if label not in class_of and label not in names.dropped],
        }
        for problem, found in problems.items():
            if found:
                raise OptionError(
                    f"{names.where} has {problem}: {listed(found)}; put each label of the corpus under one class, "
                    "or under drop"
                )
        return cls.weighed(names, class_of, labels, classes)

    @classmethod
    def weighed(
        cls, names: LabelNames, class_of: Mapping[str, str], labels: Sequence[str], classes: tuple[str, ...]
    ) -> LabelMap:
        """Return the weights of some of a map's labels; a label without a class weighs 0.

        Args:
            names: The map by names.
            class_of: Class of each label that has one.
            labels: The labels.
            classes: The classes.
        """
        weights = np.zeros((len(labels), len(classes)), np.float32)
        for number, label in enumerate(labels):
            name = class_of.get(label)
            if name in classes:
                weights[number, classes.index(name)] = 1 / max(1, len(names.members.get(name, ())))
        return cls(classes, weights)

    def soft(self, marks: NDArray[np.float32], sharpness: float = 1.0) -> NDArray[np.float32]:
        """Return the class weights of texts.

        Args:
            marks: float32 [texts, labels], 1 for the labels of a text, else 0.
            sharpness: Power of the weights; above 1 the heaviest class gets more, closer to the hard label.

        Returns:
            float32 [texts, classes], rows sum to 1; NaN for a text without a label in any class.
        """
        weights = (marks @ self.weights) ** sharpness
        total = weights.sum(1, keepdims=True)
        return np.where(total > 0, weights / np.where(total > 0, total, 1), np.float32(np.nan)).astype(np.float32)

    def hard(self, marks: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the heaviest class of each text.

        Args:
            marks: float32 [texts, labels], 1 for the labels of a text, else 0.

        Returns:
            int64 [texts]; -1 if no class is clearly the heaviest.
        """
        weights = marks @ self.weights
        # a further column of zeros, because there may be only one class
        second, first = np.sort(np.pad(weights, ((0, 0), (1, 0))), axis=1)[:, -2:].T
        # with tolerance: 1.3 times a third is not exact in floating point
        return np.where((first > 0) & (first >= CLEAR * second - 1e-6), weights.argmax(1), -1)
