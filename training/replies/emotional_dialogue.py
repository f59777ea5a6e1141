"""Reads AI Hub's 감성대화말뭉치: a person's sentences, the answers of a system, and the emotion of the dialogue.

`시스템문장1` answers `사람문장1`, and so on, up to three times. The emotion of a dialogue becomes an emotion of the
default model (label_maps/aihub.toml).
"""

from __future__ import annotations

from collections import Counter

from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data import aihub
from emojob.training.data.files import Table
from emojob.training.data.label_map import LABEL_MAPS, canonical, listed_with_counts, read_label_names
from emojob.training.replies.pair_columns import PairColumns, PairOptions, filled_texts, given_categories

#: Column with one of 60 emotions. Its emotions are in the label map where they differ from the class.
FINE = "감정_소분류"

#: Name of the shape.
DIALOGUE = "aihub-dialogue"

_LABEL_MAP = LABEL_MAPS / "aihub.toml"


def is_dialogue(table: Table) -> bool:
    """Return whether a table has the columns of 감성대화말뭉치."""
    return None not in (table.find_column(aihub.PERSON[0]), table.find_column(aihub.SYSTEM[0]))


def dialogue_columns(table: Table, options: PairOptions) -> PairColumns:
    """Read the pairs of the dialogues, dialogue by dialogue. A second or third pair without any text is left out.

    Raises:
        ColumnError: The table has no column `options.category_column`.
    """
    nothing: list[str | None] = [None] * table.data.num_rows
    person, system = (
        [nothing if (column := table.find_column(name)) is None else filled_texts(table, column) for name in names]
        for names in (aihub.PERSON, aihub.SYSTEM)
    )
    emotions, notes = _emotions(table)
    categories, more_notes = given_categories(table, options, person[0], system[0])
    places = [
        (turn, row)
        for row in range(table.data.num_rows)
        for turn in range(len(aihub.PERSON))
        if turn == 0 or person[turn][row] is not None or system[turn][row] is not None
    ]
    return PairColumns(
        DIALOGUE,
        [person[turn][row] for turn, row in places],
        [system[turn][row] for turn, row in places],
        None if categories is None else [categories[row] for _, row in places],
        None if emotions is None else [emotions[row] for _, row in places],
        (*notes, *more_notes),
    )


def _emotions(table: Table) -> tuple[list[str | None] | None, tuple[str, ...]]:
    """Return (emotion of each dialogue as a label of the default model, messages). Without a column: None."""
    class_of = read_label_names(str(_LABEL_MAP)).class_of(DEFAULT_LABELS)
    column, fine = table.find_column(aihub.CLASS), table.find_column(FINE)
    if column is None:
        return None, ()
    raw = [cell and canonical(cell) for cell in filled_texts(table, column)]
    finer = [None] * len(raw) if fine is None else [cell and canonical(cell) for cell in filled_texts(table, fine)]
    found = [class_of.get(one or "") or class_of.get(cell or "") for one, cell in zip(finer, raw, strict=True)]
    unknown = Counter(cell for cell, emotion in zip(raw, found, strict=True) if cell is not None and emotion is None)
    if not unknown:
        return found, ()
    return found, (
        f"{table.short_name}: some emotions are unknown, and their questions have no emotion: "
        f"{listed_with_counts(unknown, 10)}",
    )
