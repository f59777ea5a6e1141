"""Runs `emojob train-replies`: trains one way of a bot, measures it, and writes the folder of the bot."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.model_folder import find_folder
from emojob.pipeline.replies.bot_folder import BOT_FILE, BOT_FORMAT
from emojob.pipeline.replies.configuration import CONFIGURATION_FILE, default_text
from emojob.pipeline.replies.words import ANSWERS, GPT2
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import make_folder
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.splits import Split
from emojob.training.finetune.watch import Callbacks
from emojob.training.replies.answers_run import AnswersOptions, train_answers
from emojob.training.replies.bot_card import CARD_FILE, bot_card
from emojob.training.replies.gpt2.packing import Triple
from emojob.training.replies.gpt2.run import train_gpt2
from emojob.training.replies.gpt2.trainer import Gpt2Recipe
from emojob.training.replies.pairs import Pairs
from emojob.training.replies.question_splits import split_questions

#: Shares of the questions for choosing the best epoch, and for the measures.
_VALIDATION, _TEST = 0.1, 0.1


@dataclass(frozen=True)
class BotOptions:
    """Options of `emojob train-replies`, besides the data. A wrong value raises OptionError.

    Attributes:
        out: Folder of the bot. A way that it already has is kept.
        way: ANSWERS or GPT2. None: the architecture of the base decides.
        base: Model to start from: a folder, or a name on the Hugging Face hub. None: the default model.
        epochs: Number of epochs. None: as the way chooses.
        device: auto, cpu or cuda.
        fresh: Whether to train the way again.
        source: Where the pairs come from, for the measures, such as the names of files.
    """

    out: Path
    way: str | None = None
    base: str | None = None
    epochs: int | None = None
    device: str = "auto"
    fresh: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if self.way == GPT2 and self.base is None:
            raise OptionError(
                "--way gpt2 needs a GPT-2 model: give --base skt/kogpt2-base-v2, or a folder of that shape"
            )
        _check_folder(self.out)


@dataclass(frozen=True)
class BotOutcome:
    """Result of `train_replies`.

    Attributes:
        folder: Folder of the bot.
        way: The way that was trained.
        was_finished: Whether the way was there already, made from the same data and options.
        measures: The measures of the way, as in bot.json.
        notes: Messages to the user.
    """

    folder: Path
    way: str
    was_finished: bool
    measures: dict[str, Any]
    notes: tuple[str, ...] = ()


def train_replies(pairs: Pairs, options: BotOptions, callbacks: Callbacks | None = None) -> BotOutcome:
    """Train one way of a bot and write it into the folder of the bot, or resume an interrupted run.

    Args:
        pairs: What the bot learns from.
        options: The folder, the way and the base.
        callbacks: Functions for progress and messages, and an object for stopping the training.

    Raises:
        InputError: The data, the base or the folder cannot be used.
        BusyError: Another run uses the folder.
        Interrupted: The training was stopped with `callbacks.stop`.
    """
    callbacks = callbacks or Callbacks()
    way = options.way or way_of(options.base)
    parts = split_questions(pairs, _VALIDATION, _TEST)
    make_folder(options.out)
    if way == ANSWERS:
        wanted = AnswersOptions(options.base, options.device, options.epochs, options.fresh)
        done = train_answers(pairs, parts, options.out / ANSWERS, wanted, prompts(), callbacks)
        was_finished, measures, notes, licence = done.was_finished, done.measures, done.notes, ""
    else:
        assert options.base is not None  # noqa: S101 - for the type checker
        outcome = _train_gpt2(pairs, parts, options.base, options, callbacks)
        was_finished, measures, notes = outcome.was_finished, outcome.metrics, outcome.notes
        licence = outcome.licence
    known = _describe(options, way, pairs, licence, measures, is_new=not was_finished)
    return BotOutcome(options.out, way, was_finished, known, tuple(notes))


def way_of(base: str | None) -> str:
    """Return the way that fits the architecture of a base: GPT2 for a GPT-2 model, ANSWERS for other models."""
    if base is None:
        return ANSWERS
    config = atomic.read_json(find_folder(base, "--base") / "config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    return GPT2 if kind == "gpt2" else ANSWERS


def prompts() -> list[tuple[str, str]]:
    """Return (text, emotion) of the prompts that measure whether the tone of an answer suits the emotion."""
    file = resources.files("emojob.training.replies").joinpath("prompts.toml")
    found = tomllib.loads(file.read_text(encoding="utf-8"))["prompt"]
    return [(one["text"], one["emotion"]) for one in found]


def _check_folder(out: Path) -> None:
    """Raise OptionError if a folder with other content is given."""
    if out.is_file():
        raise OptionError(f"-o {out} is a file: give a new folder, or the folder of a bot")
    if out.is_dir() and not (out / BOT_FILE).exists():
        ours = {ANSWERS, GPT2, CONFIGURATION_FILE, CARD_FILE}
        others = sorted(one.name for one in out.iterdir() if one.name not in ours and not one.name.startswith("."))
        if others:
            raise OptionError(
                f"-o {out} is a folder with other files ({others[0]}): give a new folder, or the folder of a bot"
            )


def _train_gpt2(pairs: Pairs, parts: Split, base: str, options: BotOptions, callbacks: Callbacks) -> Any:
    recipe = Gpt2Recipe() if options.epochs is None else Gpt2Recipe(epochs=options.epochs)
    emotions = _emotions(pairs, callbacks)
    train, validation, test = (
        _triples(pairs.take(rows), emotions) for rows in (parts.train, parts.validation, parts.test)
    )
    data = [{"name": one.name, "rows": one.rows, "sha256": one.sha256} for one in pairs.files]
    data = data or [{"name": options.source or "pairs", "rows": pairs.counts.read, "sha256": ""}]
    return train_gpt2(
        train, validation, base, options.out / GPT2, recipe, callbacks, {"data": data}, test=test,
        prompts=prompts(), device=options.device, fresh=options.fresh,
    )  # fmt: skip


def _emotions(pairs: Pairs, callbacks: Callbacks) -> dict[str, str]:
    """Return {question: emotion}. The default model predicts the emotions that the data does not have."""
    known = {one.question: one.emotion for one in pairs.pairs if one.emotion in DEFAULT_LABELS}
    missing = list(dict.fromkeys(one.question for one in pairs.pairs if one.question not in known))
    if missing:
        callbacks.note(f"the default model labels {len(missing):,} questions with an emotion")
        known |= dict(zip(missing, Scorer.load(note=callbacks.note).score(missing).labels, strict=True))
    return {question: emotion or "" for question, emotion in known.items()}


def _triples(pairs: Pairs, emotions: dict[str, str]) -> Sequence[Triple]:
    found = [(one.question, emotions[one.question], one.answer) for one in pairs.with_answers() if one.answer]
    return list(dict.fromkeys(found))


def _describe(
    options: BotOptions, way: str, pairs: Pairs, licence: str, measures: dict[str, Any], is_new: bool
) -> dict[str, Any]:
    """Write replies.toml if it is missing, the card, and bot.json. Return the measures of the way.

    Args:
        options: The options of the run.
        way: The way that was trained.
        pairs: What it learned from.
        licence: Licence of the base; "" if unknown.
        measures: Its measures.
        is_new: Whether it was trained now. If false, what bot.json says about the way stays.
    """
    configuration, file = options.out / CONFIGURATION_FILE, options.out / BOT_FILE
    if not configuration.exists():
        atomic.write_bytes(configuration, default_text(DEFAULT_LABELS).encode())
    described = atomic.read_json(file)
    ways = described.get("ways", {}) if isinstance(described, dict) else {}
    if is_new or way not in ways:
        ways[way] = {
            "made_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "base": options.base,
            "licence": licence,
            "data": [asdict(one) for one in pairs.files] or options.source,
            "counts": asdict(pairs.counts),
            "measures": measures,
        }
    atomic.write_bytes(options.out / CARD_FILE, bot_card(ways).encode())
    atomic.write_json(file, {"format": BOT_FORMAT, "ways": ways})
    found: dict[str, Any] = ways[way]["measures"]
    return found
