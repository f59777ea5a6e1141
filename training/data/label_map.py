"""Label maps, which assign labels of a corpus to labels of a model. The labels of a model are called classes here."""

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

#: A text gets the class with the largest weight if this weight is at least CLEAR times the second largest weight.
CLEAR = 1.3

#: Keys in the file of a label map whose list names the labels to drop.
DROP_KEYS = ("drop", "dropped")

LABEL_MAPS = Path(__file__).parent / "label_maps"
#: The label maps that ship with the package.
BUILT_IN = ("kote", "goemotions")

_EXAMPLE = '[labels], then lines such as "기쁨" = ["행복", "즐거움"] and drop = ["기타"]'


@dataclass(frozen=True)
class LabelNames:
    """A label map as written in its file: names of corpus labels for each label of the model.

    Attributes:
        where: The option as the user gave it, such as `--label-map kote`. Used in messages.
        members: Corpus labels for each label of the model, in the order of the file.
        dropped: Corpus labels that are assigned to no label of the model.
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
        """Labels of the model, in the order of the file."""
        return tuple(self.members)

    def class_of(self, known: Sequence[str] = ()) -> dict[str, str]:
        """Return the class of each label in the map.

        The name of a class is also a label of the class, unless the map drops this name or assigns it to another class.

        Args:
            known: Names of further classes, for example all labels of a model.
        """
        mapped = {label: name for name, labels in self.members.items() for label in labels}
        named = {*mapped, *self.dropped}
        return mapped | {name: name for name in (*self.classes, *known) if name not in named}

    def as_table(self) -> dict[str, list[str]]:
        """Return the map as the content of the table [labels] in a TOML file."""
        table = {name: list(labels) for name, labels in self.members.items()}
        return table | ({"drop": list(self.dropped)} if self.dropped else {})


def read_label_map(name_or_path: str | None) -> LabelNames | None:
    """Read a label map with `read_label_names`; return None if no map is given."""
    return None if name_or_path is None else read_label_names(name_or_path)


def read_label_names(name_or_path: str) -> LabelNames:
    """Read one of the label maps of the package (kote, goemotions), or a label map from a TOML file.

    Raises:
        OptionError: The file is missing or not TOML, a label is listed twice, or a value is not a list of labels.
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
        raise OptionError(f"{where} is not a valid TOML file in UTF-8: {first_line(error)}; write {_EXAMPLE}") from None
    table = content.pop("labels", {})
    if not isinstance(table, dict):
        raise OptionError(f"{where}: the key `labels` is {table!r:.80}, but it must be a table; write {_EXAMPLE}")
    return _from_table({**content, **table}, where, [key for key in content if key in table])


def _from_table(table: Mapping[str, object], where: str, twice: Sequence[str]) -> LabelNames:
    if twice:
        raise OptionError(f"{where} has the same keys above and below [labels]: {listed(twice)}; write each key once")
    members: dict[str, tuple[str, ...]] = {}
    dropped: list[str] = []
    for name, labels in table.items():
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise OptionError(
                f"{where}: {listed([name])} is {labels!r:.80}, but it must be a list of labels in quotes; "
                f"write {_EXAMPLE}"
            )
        if not name.strip():
            raise OptionError(f"{where} has an empty name on the left of =; write {_EXAMPLE}")
        if name in DROP_KEYS:
            dropped += map(canonical, labels)
        else:
            members[canonical(name)] = (*members.get(canonical(name), ()), *map(canonical, labels))
    if not members and not dropped:
        raise OptionError(f"{where} has no labels; write {_EXAMPLE}")
    return LabelNames(where, members, tuple(dropped))


def canonical(label: str) -> str:
    """Return a label without spaces around it and with composed Hangul (NFC), for comparison with other labels."""
    return unicodedata.normalize("NFC", label).strip()


def listed_with_counts(labels: Mapping[str, int], most: int = 60) -> str:
    """Return labels and their counts as one line for a message, the most frequent label first.

    Args:
        labels: Count of each label.
        most: Largest number of labels to show.
    """
    by_count = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{listed([label])} ({count:,})" for label, count in by_count[:most]]
    more = f", ... ({len(by_count) - most:,} more)" if len(by_count) > most else ""
    return ", ".join(shown) + more


@dataclass(frozen=True)
class LabelMap:
    """A label map as a matrix: how much each corpus label counts for each class of a model.

    Attributes:
        classes: The model's labels.
        weights: float32 [labels, classes]. A label has the weight 1 / (number of labels in its class) for its class,
            and 0 for all other classes. A dropped label has only zeros.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]

    @classmethod
    def from_names(
        cls, names: LabelNames, labels: Sequence[str], classes: tuple[str, ...] = DEFAULT_LABELS
    ) -> LabelMap:
        """Return the weights of all labels of a corpus.

        Args:
            names: The label map as written in its file.
            labels: All labels of the corpus, in the order of their ids.
            classes: The model's labels, in the order of their ids.

        Raises:
            OptionError: The map lacks a label of the corpus, or has an unknown class or label.
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
        """Return the weights of some labels of a map; a label without a class has only zeros.

        Args:
            names: The label map as written in its file.
            class_of: Class of each label that has a class.
            labels: Labels for the rows of the weights.
            classes: Classes for the columns of the weights.
        """
        weights = np.zeros((len(labels), len(classes)), np.float32)
        for number, label in enumerate(labels):
            name = class_of.get(label)
            if name in classes:
                weights[number, classes.index(name)] = 1 / max(1, len(names.members.get(name, ())))
        return cls(classes, weights)

    def soft(self, marks: NDArray[np.float32], sharpness: float = 1.0) -> NDArray[np.float32]:
        """Return soft labels: for each text, a weight for each class.

        Args:
            marks: float32 [texts, labels], 1 for the labels of a text, else 0.
            sharpness: Exponent of the weights. A value above 1 increases the share of the largest weight.

        Returns:
            float32 [texts, classes]; the weights of a text sum to 1, or are NaN if none of its labels has a class.
        """
        weights = (marks @ self.weights) ** sharpness
        total = weights.sum(1, keepdims=True)
        return np.where(total > 0, weights / np.where(total > 0, total, 1), np.float32(np.nan)).astype(np.float32)

    def hard(self, marks: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class with the largest weight for each text.

        Args:
            marks: float32 [texts, labels], 1 for the labels of a text, else 0.

        Returns:
            int64 [texts], class ids; -1 if the largest weight is not clearly larger than the second (see `CLEAR`).
        """
        weights = marks @ self.weights
        # add a column of zeros, because there may be only one class
        second, first = np.sort(np.pad(weights, ((0, 0), (1, 0))), axis=1)[:, -2:].T
        # 1e-6 allows for rounding: 1.3 * (1 / 3) is not exact in floating point
        return np.where((first > 0) & (first >= CLEAR * second - 1e-6), weights.argmax(1), -1)
