"""Defines the Python functions `emojob.score`, `emojob.train` and `emojob.evaluate`.

Keyword arguments have the names of command-line options: `--text-column C` becomes `text_column="C"`. The functions
print nothing. The error classes are in `schemas.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emojob.jobs.interruption import stop_on_ctrl_c
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions, ScoreOptions
from emojob.schemas.settings import check_arguments, field_types

if TYPE_CHECKING:
    from emojob.pipeline.running.run import Result
    from emojob.training.evaluation.evaluate import Measurement
    from emojob.training.finetune.run import Outcome

OnePath = str | PathLike[str]


def score(inputs: OnePath | Iterable[OnePath], out: OnePath | None = None, **options: Any) -> Result:
    """Label every utterance of a dataset, like `emojob score`. An interrupted run is resumed.

    Args:
        inputs: A file, folder, glob or URL, or a list of files, folders, globs and URLs.
        out: Output folder, or a .parquet file. If None, a folder next to the input, such as logs.emotions.
        options: Fields of `ScoreOptions` and `ModelOptions`, such as text_column, model, device, limit.

    Returns:
        The result, with these attributes:

        - `out`: path of the output
        - `counts`: numbers of labelled, empty and rejected rows
        - `rows_done`: number of rows that this run read
        - `seconds`: duration of this run
        - `run`: content of run.json
        - `problems`: lines, if too many rows were rejected, or if no row of an input was labelled; [] for a success

    Raises:
        InputError: An input, an option, the model or the output cannot be used.
        StorageError: The output cannot be written.
        BusyError: The output is locked by another run.
        WorkerError: A scoring process failed.
        Interrupted: Ctrl-C was pressed. Finished rows are kept.
    """
    if "hash_column" in options:  # also accept the name of the command-line option --hash-column
        options["hash_columns"] = options.pop("hash_column")
    if "max_rejects" in options:
        options["max_rejects"] = str(options["max_rejects"])
    given = _checked("score", options, ScoreOptions, ModelOptions)
    for name in ("hash_columns", "as_text"):
        if name in given:
            given[name] = tuple(map(str, _listed(given[name])))
    model, scoring = _taken(ModelOptions, given), ScoreOptions(**given)
    from emojob.pipeline.running.run import score_dataset
    from emojob.pipeline.storage.paths import parse_path
    from emojob.pipeline.system.prefetch import Stages

    files = list(map(str, _listed(inputs)))
    if not files:
        raise OptionError("emojob.score() has no input files: give a file, folder, glob or URL")
    stages = Stages()
    with stop_on_ctrl_c(stages):
        return score_dataset(files, None if out is None else parse_path(str(out)), scoring, model, stages=stages)


def train(data: OnePath | Iterable[OnePath], out: OnePath, **options: Any) -> Outcome:
    """Fine-tune a model on annotated utterances, like `emojob train`. An interrupted run is resumed.

    Args:
        data: An annotated file, or a list of annotated files.
        out: Folder for the model.
        options: Options of `emojob train`: recipe, epochs, learning_rate, batch_size, seed, base, test, label_map,
            test_label_map, text_column, label_column, conversation_column, time_column, date_order, encoding, context,
            device, report_to, fresh.

    Returns:
        The outcome, with these attributes:

        - `folder`: path of the model folder
        - `evaluation`: metrics on the test split
        - `was_finished`: true if the model was already trained, so that nothing was done
        - `notes`: messages for the user

    Raises:
        InputError: The data, an option, the recipe or the base model cannot be used.
        BusyError: The folder is locked by another run.
        Interrupted: Ctrl-C was pressed. A checkpoint is kept.
    """
    from emojob.pipeline.output.derived.replacing import check_not_of_archive
    from emojob.training.data.corpus import CorpusOptions
    from emojob.training.finetune.options import TrainOptions
    from emojob.training.finetune.recipe import read_train_recipe
    from emojob.training.finetune.run import train_model
    from emojob.training.finetune.watch import Callbacks

    check_not_of_archive("out", Path(out))
    kinds = (TrainOptions, CorpusOptions)
    replaced = {"epochs": int, "learning_rate": float, "batch_size": int, "seed": int}
    given = _checked("train", options, *kinds, others={"recipe": str, **replaced}, without=("data", "out", "corpus"))
    values = {name.removesuffix("_size"): given.pop(name, None) for name in replaced}
    recipe = read_train_recipe(str(given.pop("recipe", None) or "default"), **values)
    given["report_to"] = _names(given.get("report_to"))
    given["corpus"] = _taken(CorpusOptions, given)
    given["test"] = tuple(map(Path, _listed(given.get("test", ()))))
    callbacks = Callbacks()
    with stop_on_ctrl_c(callbacks.stop):
        return train_model(TrainOptions(tuple(map(Path, _listed(data))), Path(out), **given), recipe, callbacks)


def evaluate(data: OnePath | Iterable[OnePath], **options: Any) -> Measurement:
    """Measure a model on annotated utterances, like `emojob evaluate`.

    Args:
        data: An annotated file, or a list of annotated files.
        options: against (a second model), label_map, errors (number of texts in `wrong`), text_column, label_column,
            conversation_column, time_column, date_order, encoding, and the fields of `ModelOptions`, such as model.

    Returns:
        The measurement, with these attributes:

        - `model.evaluation`: metrics of the model, such as accuracy and macro_f1
        - `against`: metrics of the second model
        - `comparison`: differences between the two models
        - `wrong`: texts that the model gets wrong, the most confident ones first
        - `as_json()`: all metrics as a dict

    Raises:
        InputError: The data, an option or a model cannot be used.
    """
    from emojob.training.data.corpus import CorpusOptions
    from emojob.training.evaluation.evaluate import measure

    given = _checked(
        "evaluate", options, ModelOptions, CorpusOptions, others={"against": str, "label_map": str, "errors": int}
    )
    # `context` is removed from `given`, because `measure` uses the context of the model.
    model = _taken(ModelOptions, given)
    against, label_map = given.pop("against", None), given.pop("label_map", None)
    errors = given.pop("errors", 0)
    return measure(list(map(Path, _listed(data))), CorpusOptions(**given), label_map, model, against, errors=errors)


def _listed(paths: OnePath | Iterable[OnePath]) -> list[OnePath]:
    """Return a path or several paths as a list. Raises OptionError if an item is not a path."""
    if isinstance(paths, str | PathLike):
        return [paths]
    listed = list(paths) if isinstance(paths, Iterable) else [paths]
    wrong = [path for path in listed if not isinstance(path, str | PathLike)]
    if wrong:
        raise OptionError(f"{wrong[0]!r} is not a path: give a str, a Path, or a list of these")
    return listed


def _names(names: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return a name or several names as a tuple; () for None."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def _checked(
    function: str,
    given: dict[str, Any],
    *kinds: type[Any],
    others: dict[str, type] | None = None,
    without: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the keyword arguments, with paths as str. Raises OptionError for an unknown name or a wrong type."""
    given = {name: fspath(value) if isinstance(value, PathLike) else value for name, value in given.items()}
    expected = {name: type_ for kind in kinds for name, type_ in field_types(kind).items() if name not in without}
    return check_arguments(f"emojob.{function}", given, {**expected, **(others or {})})


def _taken(kind: type[Any], given: dict[str, Any]) -> Any:
    """Create an object of the class `kind` from `given`, and remove the used values from `given`."""
    return kind(**{name: given.pop(name) for name in field_types(kind) if name in given})
