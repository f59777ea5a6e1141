"""Fine-tunes a GPT-2 model such as KoGPT2 on pairs, measures it, and writes its model folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emojob.pipeline.html.page import check_drawable
from emojob.pipeline.inference.engine_choice import choices
from emojob.pipeline.models.model_folder import hash_weights
from emojob.pipeline.replies.writing import copies
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2, load_gpt2, write_gpt2
from emojob.pipeline.storage.atomic import read_json, write_bytes, write_json
from emojob.pipeline.system.hardware import detect
from emojob.pipeline.system.versions import installed_versions
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.options import ModelOptions
from emojob.training.evaluation.page import write_pictures
from emojob.training.finetune import folder
from emojob.training.finetune.checkpoints import TrainingState
from emojob.training.finetune.distributed import process_count
from emojob.training.finetune.options import tracker_errors, trackers
from emojob.training.finetune.watch import Callbacks
from emojob.training.replies.gpt2.card import gpt2_card
from emojob.training.replies.gpt2.measures import TrainingAnswers, measure_gpt2, measure_tone
from emojob.training.replies.gpt2.packing import PackedLearner, Triple, encode_examples
from emojob.training.replies.gpt2.trainer import Gpt2Recipe, gpt2_inputs, train

#: File with the measures in a model folder.
METRICS = "metrics.json"


@dataclass(frozen=True)
class Gpt2Outcome:
    """Result of the fine-tuning of a GPT-2 model.

    Attributes:
        folder: Path of the model folder.
        was_finished: Whether the model was already finished. If true, this run did nothing.
        metrics: Content of metrics.json; empty if the file is missing or damaged.
        notes: Messages to the user.
        licence: Licence of the base; "" if unknown.
    """

    folder: Path
    was_finished: bool
    metrics: dict[str, Any]
    notes: tuple[str, ...] = ()
    licence: str = ""


@dataclass(frozen=True)
class Gpt2Parts:
    """What a GPT-2 model learns from, and what it is measured with.

    Attributes:
        train: Question, emotion and answer of each pair for training.
        validation: Pairs for early stopping; may be empty.
        test: Pairs for the measures. Empty: `validation` is measured.
        prompts: (text, emotion) of texts that measure the tone of the drafts; may be empty.
    """

    train: Sequence[Triple]
    validation: Sequence[Triple] = ()
    test: Sequence[Triple] = ()
    prompts: Sequence[tuple[str, str]] = ()

    @property
    def held_out(self) -> Sequence[Triple]:
        """The pairs that are measured."""
        return self.test or self.validation


@dataclass(frozen=True)
class Gpt2Training:
    """A GPT-2 model that is ready for training.

    Attributes:
        gpt2: The base.
        parts: The pairs and the prompts.
        recipe: Settings of the training, fitted to the base and to the pairs.
        made_with: Inputs of the run. A resumed run must have the same inputs.
        device: cpu or cuda.
    """

    gpt2: Gpt2
    parts: Gpt2Parts
    recipe: Gpt2Recipe
    made_with: dict[str, Any]
    device: str

    def train(self, out: Path, callbacks: Callbacks, report_to: tuple[str, ...] = ()) -> Gpt2Outcome:
        """Fine-tune the model and write the model folder, or resume an interrupted run.

        Args:
            out: The model folder.
            callbacks: Functions for progress and messages, and an object for stopping the training.
            report_to: Where the curves are also logged, as in `TrainOptions`.

        Raises:
            OutputError: The folder cannot be used.
            BusyError: Another run uses the model folder.
            Interrupted: The training was stopped with `callbacks.stop`.
        """
        programs = trackers(report_to)
        with folder.lock_folder(out):
            if folder.begin_or_resume(out, self.made_with, fresh=False):
                folder.remove_checkpoints(out)  # a killed run may have left checkpoints
                metrics = read_json(out / METRICS)
                return Gpt2Outcome(out, was_finished=True, metrics=metrics, licence=self.gpt2.licence)
            _note_licence(self.gpt2, callbacks)
            return _train(self, out, callbacks, programs)


def prepare_gpt2(
    base: str, parts: Gpt2Parts, recipe: Gpt2Recipe, made_with: dict[str, Any], device: str = "auto"
) -> Gpt2Training:
    """Load the base, and check the pairs and the options. Nothing is written.

    Args:
        base: A model folder, or a name on the Hugging Face hub.
        parts: The pairs and the prompts.
        recipe: Settings of the training.
        made_with: More inputs of the run, for recipe.json and the model card. The key `data`: a list of the data files,
            each with `name`, `rows` and `sha256`.
        device: auto, cpu or cuda.

    Raises:
        InputError: The pairs, the base model, the recipe or the device cannot be used.
    """
    _check_trainable(parts.train)
    chosen = _device(device)
    gpt2 = load_gpt2(base)
    recipe = recipe.fitted(gpt2.positions, len(parts.train))
    return Gpt2Training(gpt2, parts, recipe, {**made_with, **_inputs_of_run(gpt2, parts, recipe)}, chosen)


def _check_trainable(pairs: Sequence[Triple]) -> None:
    if process_count() > 1:
        raise OptionError("a GPT-2 model is trained in one process: run the command without torchrun")
    if not pairs:
        raise DataError("there are no pairs of a question and an answer to learn from: give more data with --data")


def _note_licence(gpt2: Gpt2, callbacks: Callbacks) -> None:
    if gpt2.licence:
        callbacks.note(
            f"{gpt2.name} has the licence {gpt2.licence}: name the source, no commercial use; the same licence applies "
            "to the trained model"
        )


def _device(wanted: str) -> str:
    """Return cpu or cuda."""
    return choices(ModelOptions(device=wanted, engine="torch"), detect())[0].device


def _inputs_of_run(gpt2: Gpt2, parts: Gpt2Parts, recipe: Gpt2Recipe) -> dict[str, Any]:
    """Return the inputs of the run that a resumed run must share."""
    texts = json.dumps([list(map(list, part)) for part in (parts.train, parts.validation, parts.test)])
    return {
        "recipe": {"training": asdict(recipe)},
        "base": {"name": gpt2.name, "sha256": hash_weights(gpt2.model.state_dict())},
        "pairs": {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)},
        "pairs_sha256": hashlib.sha256(texts.encode()).hexdigest(),
    }


def _train(training: Gpt2Training, out: Path, callbacks: Callbacks, programs: list[str]) -> Gpt2Outcome:
    """Train, measure, and write the model folder, which is locked."""
    gpt2, parts, recipe = training.gpt2, training.parts, training.recipe
    known = TrainingAnswers.of(answer for _, _, answer in parts.train)
    encoded = [encode_examples(part, gpt2.sequences, recipe.max_length) for part in (parts.train, parts.validation)]
    inputs = gpt2_inputs(encoded[0], encoded[1], recipe, out / folder.WORK, training.device, programs)
    before = _measured(gpt2, parts, known, recipe, callbacks, "before training")
    with tracker_errors():
        state = train(PackedLearner(gpt2.model), inputs, callbacks)
    gpt2.model.cpu().eval()
    after = _measured(gpt2, parts, known, recipe, callbacks, "after training")
    metrics = _metrics(state, before, after) | _tone(gpt2, parts, recipe, callbacks)
    notes = [*_kept_epoch(state, recipe, bool(parts.validation)), *_draw(out, state)]
    _write(gpt2, out, known, metrics, training.made_with)
    folder.remove_checkpoints(out)
    return Gpt2Outcome(out, was_finished=False, metrics=metrics, notes=tuple(notes), licence=gpt2.licence)


def _measured(
    gpt2: Gpt2, parts: Gpt2Parts, known: TrainingAnswers, recipe: Gpt2Recipe, callbacks: Callbacks, when: str
) -> dict[str, Any] | None:
    """Return the measures on the held-out pairs as JSON, NaN as None; None without held-out pairs."""
    if not parts.held_out:
        return None
    found = measure_gpt2(gpt2, parts.held_out, known, recipe, stopping=lambda: callbacks.stop.stopping)
    callbacks.note(f"{when}: perplexity {found.perplexity:,.2f} on the answers of {found.pairs:,} held-out pairs")
    measures = asdict(found)
    for section in (measures, measures["drafts"]):
        section |= {key: None for key, value in section.items() if isinstance(value, float) and math.isnan(value)}
    return measures


def _tone(gpt2: Gpt2, parts: Gpt2Parts, recipe: Gpt2Recipe, callbacks: Callbacks) -> dict[str, Any]:
    if not parts.prompts:
        return {}
    return {"tone_agreement": measure_tone(gpt2, parts.prompts, recipe, lambda: callbacks.stop.stopping)}


def _metrics(state: TrainingState, before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    """Return the content of metrics.json."""
    epochs = len(state.curves.epoch)
    return {
        "epochs": epochs,
        "epoch_kept": state.best_epoch or epochs,
        "before": before,
        "after": after,
        "curves": asdict(state.curves),
    }


def _kept_epoch(state: TrainingState, recipe: Gpt2Recipe, has_validation: bool) -> list[str]:
    """Return a note about the epoch whose weights are kept."""
    done, best = len(state.curves.epoch), state.best_epoch
    if not has_validation:
        return ["there are no validation pairs, so all epochs were trained, and the model is not measured"]
    if done < recipe.epochs:
        return [
            f"training stopped early, after epoch {done} of {recipe.epochs}: no epoch was better than epoch {best} "
            f"(patience {recipe.patience}); the model has the weights of epoch {best}"
        ]
    return [f"the model has the weights of epoch {best} of {done}, which is the best one"] if best < done else []


def _draw(out: Path, state: TrainingState) -> list[str]:
    """Write curves.png. If the packages for drawing are missing, return a note instead."""
    try:
        check_drawable()
    except OptionError as error:
        return [f"curves.png is not written: {error}"]
    write_pictures(out, state.curves)
    return []


def _write(gpt2: Gpt2, out: Path, known: TrainingAnswers, metrics: dict[str, Any], made_with: dict[str, Any]) -> None:
    """Write the files of the model folder. config.json is the last one, so a folder that has it is complete."""
    write_json(out / "recipe.json", {**made_with, "versions": installed_versions()})
    write_json(out / METRICS, metrics)
    known.index.save(out / copies.FILE)
    write_bytes(out / "README.md", gpt2_card(gpt2.name, gpt2.licence, metrics, made_with).encode())
    write_gpt2(gpt2, out)
