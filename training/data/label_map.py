"""Label maps assign the labels of a corpus to the labels of a model, which are called classes in this module."""

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

#: A text gets the class with the largest sum of weights if this sum is at least CLEAR times the second largest sum.
CLEAR = 1.3

#: Keys of a label map file. Their values list the labels to drop.
DROP_KEYS = ("drop", "dropped")

LABEL_MAPS = Path(__file__).parent / "label_maps"
#: Names of the built-in label maps.
BUILT_IN = ("kote", "goemotions")

_EXAMPLE = '[labels], then lines such as "기쁨" = ["행복", "즐거움"] and drop = ["기타"]'
_CORRECT = f"correct the file; a label map contains {_EXAMPLE}"


@dataclass(frozen=True)
class LabelNames:
    """The content of a label map file: the names of the corpus labels for each class.

    Attributes:
        where: The command-line option that messages show, for example `--label-map kote`.
        members: Corpus labels of each class, in the order of the file.
        dropped: Corpus labels to drop.
    """

    where: str
    members: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times = Counter([label for labels in self.members.values() for label in labels] + list(self.dropped))
        twice = [label for label, count in times.items() if count > 1]
        if twice:
            raise OptionError(f"{self.where} lists some labels twice: {listed(twice)}; list each label only once")

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the file."""
        return tuple(self.members)

    def class_of(self, known: Sequence[str] = ()) -> dict[str, str]:
        """Return the class of each label in the map.

        Each class name also counts as a label of its class, unless the map drops the name or assigns the name to
        another class.

        Args:
            known: Additional class names, for example all labels of a model.
        """
        mapped = {label: name for name, labels in self.members.items() for label in labels}
        named = {*mapped, *self.dropped}
        return mapped | {name: name for name in (*self.classes, *known) if name not in named}

    def as_table(self) -> dict[str, list[str]]:
        """Return the map as the table [labels] of a TOML file."""
        table = {name: list(labels) for name, labels in self.members.items()}
        return table | ({"drop": list(self.dropped)} if self.dropped else {})


def read_label_map(name_or_path: str | None) -> LabelNames | None:
    """Read a label map with `read_label_names`; return None if no map is given."""
    return None if name_or_path is None else read_label_names(name_or_path)


def read_label_names(name_or_path: str) -> LabelNames:
    """Read a built-in label map (kote or goemotions), or a label map from a TOML file.

    Raises:
        OptionError: The file is missing or is not a valid label map.
    """
    built_in = name_or_path in BUILT_IN
    path = LABEL_MAPS / f"{name_or_path}.toml" if built_in else Path(name_or_path)
    where = f"--label-map {name_or_path}"
    try:
        content = read_toml(path)
    except FileNotFoundError:
        raise OptionError(
            f"{where} does not exist; give {', '.join(BUILT_IN)} or a TOML file with {_EXAMPLE}"
        ) from None
    except OSError as error:
        raise OptionError(f"{where} cannot be read: {error.strerror}; give a TOML file with {_EXAMPLE}") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise OptionError(f"{where} is not a valid TOML file in UTF-8: {first_line(error)}; {_CORRECT}") from None
    table = content.pop("labels", {})
    if not isinstance(table, dict):
        raise OptionError(f"{where}: the key `labels` is {table!r:.80}, but `labels` must be a table; {_CORRECT}")
    return _from_table({**content, **table}, where, [key for key in content if key in table])


def _from_table(table: Mapping[str, object], where: str, twice: Sequence[str]) -> LabelNames:
    if twice:
        raise OptionError(f"{where} has the same keys above and below [labels]: {listed(twice)}; write each key once")
    members: dict[str, tuple[str, ...]] = {}
    dropped: list[str] = []
    for name, labels in table.items():
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise OptionError(
                f"{where}: the value of {listed([name])} is {labels!r:.80}, but the value must be a list of quoted "
                f"labels; {_CORRECT}"
            )
        if not name.strip():
            raise OptionError(f"{where} has a line without a name before the =; {_CORRECT}")
        if name in DROP_KEYS:
            dropped += map(canonical, labels)
        else:
            members[canonical(name)] = (*members.get(canonical(name), ()), *map(canonical, labels))
    if not members and not dropped:
        raise OptionError(f"{where} has no labels; {_CORRECT}")
    return LabelNames(where, members, tuple(dropped))


def canonical(label: str) -> str:
    """Normalise a label for comparison: compose Hangul (NFC) and strip spaces."""
    return unicodedata.normalize("NFC", label).strip()


def listed_with_counts(labels: Mapping[str, int], most: int = 60) -> str:
    """Return a list of labels and their counts for a message, the most frequent label first.

    Args:
        labels: Count of each label.
        most: Maximum number of labels in the line.
    """
    by_count = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{listed([label])} ({count:,})" for label, count in by_count[:most]]
    more = f", ... ({len(by_count) - most:,} more)" if len(by_count) > most else ""
    return ", ".join(shown) + more


@dataclass(frozen=True)
class LabelMap:
    """A label map as a matrix of weights, with a row for each corpus label and a column for each class.

    Attributes:
        classes: Class names.
        weights: float32 [labels, classes]. If a class has n labels, the weight of each label for this class is 1/n.
            All other weights are 0.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]

    @classmethod
    def from_names(
        cls, names: LabelNames, labels: Sequence[str], classes: tuple[str, ...] = DEFAULT_LABELS
    ) -> LabelMap:
        """Convert a label map to weights for all labels of a corpus.

        Args:
            names: The content of the label map file.
            labels: All labels of the corpus in id order.
            classes: All labels of the model in id order.

        Raises:
            OptionError: A corpus label is missing from the map, or the map contains an unknown class or label.
        """
        class_of = {label: name for name, members in names.members.items() for label in members}
        problems = {
            f"unknown classes (the classes are {', '.join(classes)})": [
                name for name in names.classes if name not in classes
            ],
            "unknown labels": [label for label in (*class_of, *names.dropped) if label not in labels],
            "no class for these labels": [
                label for label in labels if label not in class_of and label not in names.dropped
            ],
        }
        for problem, found in problems.items():
            if found:
                raise OptionError(
                    f"{names.where} has {problem}: {listed(found)}; write each label of the corpus in the list of one "
                    "class, or in the list `drop`"
                )
        return cls.weighed(names, class_of, labels, classes)

    @classmethod
    def weighed(
        cls, names: LabelNames, class_of: Mapping[str, str], labels: Sequence[str], classes: tuple[str, ...]
    ) -> LabelMap:
        """Return a label map with one row for each given label. The row of a label without a class contains only zeros.

        Args:
            names: The content of the label map file.
            class_of: Class of each label that has a class.
            labels: Corpus labels, one for each row of the matrix.
            classes: Class names, one for each column of the matrix.
        """
        weights = np.zeros((len(labels), len(classes)), np.float32)
        for number, label in enumerate(labels):
            name = class_of.get(label)
            if name in classes:
                weights[number, classes.index(name)] = 1 / max(1, len(names.members.get(name, ())))
        return cls(classes, weights)

    def soft(self, marks: NDArray[np.float32], sharpness: float = 1.0) -> NDArray[np.float32]:
        """Return soft labels: one weight per class for each text.

        Args:
            marks: float32 [texts, labels]: 1 for the labels of a text, else 0.
            sharpness: Exponent of the weights. A value above 1 increases the share of the largest weight.

        Returns:
            float32 [texts, classes]: the weights of each text, with the sum 1. All weights are NaN if no label of the
            text has a class.
        """
        weights = (marks @ self.weights) ** sharpness
        total = weights.sum(1, keepdims=True)
        return np.where(total > 0, weights / np.where(total > 0, total, 1), np.float32(np.nan)).astype(np.float32)

    def hard(self, marks: NDArray[np.float32]) -> NDArray[np.int64]:
        """For each text, return the class with the largest sum of the weights of the text's labels.

        Args:
            marks: float32 [texts, labels]: 1 for the labels of a text, else 0.

        Returns:
            int64 [texts]: the class id of each text; -1 if no class is clearly first (see `CLEAR`).
        """
        weights = marks @ self.weights
        # add a column of zeros, because there may be only one class
        second, first = np.sort(np.pad(weights, ((0, 0), (1, 0))), axis=1)[:, -2:].T
        # 1e-6 allows for rounding: 1.3 * (1 / 3) is not exact in floating point
        return np.where((first > 0) & (first >= CLEAR * second - 1e-6), weights.argmax(1), -1)
