"""Runs `emojob train-replies`: trains one way of a bot, measures it, and writes the folder of the bot."""

from __future__ import annotations

import contextlib
import datetime
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.model_folder import find_folder
from emojob.pipeline.replies.bot_folder import BOT_FILE, BOT_FORMAT
from emojob.pipeline.replies.configuration import CONFIGURATION_FILE, default_text
from emojob.pipeline.replies.way_folders import read_record
from emojob.pipeline.replies.words import ANSWERS, GPT2, WAYS
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.folders import TRAINING
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.paths import output_errors
from emojob.schemas.errors import DataError, Interrupted, ModelError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.splits import Split
from emojob.training.finetune.watch import Callbacks
from emojob.training.replies.answers_run import AnswersOptions, prepare_answers, train_answers
from emojob.training.replies.bot_card import CARD_FILE, bot_card
from emojob.training.replies.gpt2.packing import Triple
from emojob.training.replies.gpt2.run import Gpt2Parts, prepare_gpt2
from emojob.training.replies.gpt2.trainer import Gpt2Recipe
from emojob.training.replies.pairs import Pairs
from emojob.training.replies.question_splits import split_questions
from emojob.training.replies.way_training import way_training

#: Shares of the questions for choosing the best epoch, and for the measures.
_VALIDATION, _TEST = 0.1, 0.1

_BUILTIN_ANSWERS = (
    "the bot has no answer book of its own, so the way answers takes its answers from the built-in answer book; to add "
    "an answer book, run `emojob train-replies --data FILE` with the same -o"
)


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
class _Trained:
    """A trained way.

    Attributes:
        measures: The measures, as in bot.json.
        notes: Messages to the user.
        licence: Licence of the base; "" if unknown.
        record: More keys of way.json.
    """

    measures: dict[str, Any]
    notes: tuple[str, ...]
    licence: str = ""
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Prepared:
    """A way that is ready for training: its inputs, and a function that trains it in a folder."""

    made_with: dict[str, Any]
    train: Callable[[Path], _Trained]


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
    way = _way(options)
    parts = split_questions(pairs, _VALIDATION, _TEST)
    prepare = _prepare_answers if way == ANSWERS else _prepare_gpt2
    prepared = prepare(pairs, parts, options, callbacks)
    with (
        _named_without_fresh(options),
        way_training(options.out, way, prepared.made_with, options.fresh, callbacks.note) as training,
    ):
        notes: tuple[str, ...] = ()
        if not training.is_finished:
            trained = prepared.train(training.work)
            notes = trained.notes
            described = _described(pairs, options, trained)
            training.finish({"described": described, **trained.record})
        ways = _write_bot(options.out)
    if ANSWERS not in ways:
        notes = (*notes, _BUILTIN_ANSWERS)
    return BotOutcome(options.out, way, training.is_finished, ways[way]["measures"], notes)


def way_of(base: str | None) -> str:
    """Return the way that fits the architecture of a base: GPT2 for a GPT-2 model, ANSWERS for other models.

    Raises ModelError if the base does not exist, or has no config.json.
    """
    if base is None:
        return ANSWERS
    file = find_folder(base, "--base") / "config.json"
    if not file.exists():
        raise ModelError(
            f"--base {base} lacks config.json: give a folder with config.json, the weights and the tokenizer, or a "
            "name on the Hugging Face hub"
        )
    return GPT2 if atomic.read_json(file).get("model_type") == "gpt2" else ANSWERS


def prompts() -> list[tuple[str, str]]:
    """Return (text, emotion) of the prompts that measure whether the tone of an answer suits the emotion."""
    file = resources.files("emojob.training.replies").joinpath("prompts.toml")
    found = tomllib.loads(file.read_text(encoding="utf-8"))["prompt"]
    return [(one["text"], one["emotion"]) for one in found]


def _way(options: BotOptions) -> str:
    """Return the way to train. Raise OptionError if the base does not fit the way that the user gave."""
    fitting = way_of(options.base)
    if options.way in (None, fitting) or options.base is None:
        return options.way or fitting
    kind, needed = ("a GPT-2 model", "an encoder such as KoBERT") if fitting == GPT2 else ("no GPT-2 model", "one")
    raise OptionError(
        f"--base {options.base} is {kind}, but --way {options.way} needs {needed}: give --way {fitting}, or another "
        "base"
    )


def _check_folder(out: Path) -> None:
    """Raise OptionError if a folder with other content is given."""
    if out.is_file():
        raise OptionError(f"-o {out} is a file: give a new folder, or the folder of a bot")
    if out.is_dir() and not (out / BOT_FILE).exists():
        ours = {ANSWERS, GPT2, TRAINING, CONFIGURATION_FILE, CARD_FILE}
        others = sorted(one.name for one in out.iterdir() if one.name not in ours and not one.name.startswith("."))
        if others:
            raise OptionError(
                f"-o {out} is a folder with other files ({others[0]}): give a new folder, or the folder of a bot"
            )


def _prepare_answers(pairs: Pairs, parts: Split, options: BotOptions, callbacks: Callbacks) -> _Prepared:
    training = prepare_answers(pairs, parts, AnswersOptions(options.base, options.device, options.epochs))

    def train(folder: Path) -> _Trained:
        done = train_answers(training, folder, prompts(), callbacks)
        return _Trained(done.measures, done.notes, record={"classifier": done.uses_classifier})

    return _Prepared(training.made_with, train)


def _prepare_gpt2(pairs: Pairs, parts: Split, options: BotOptions, callbacks: Callbacks) -> _Prepared:
    recipe = Gpt2Recipe() if options.epochs is None else Gpt2Recipe(epochs=options.epochs)
    emotions = _emotions(pairs, callbacks)
    train, validation, test = (
        _triples(pairs.take(rows), emotions) for rows in (parts.train, parts.validation, parts.test)
    )
    learned = Gpt2Parts(train, validation, test, prompts())
    data = [{"name": one.name, "rows": one.rows, "sha256": one.sha256} for one in pairs.files]
    data = data or [{"name": options.source or "pairs", "rows": pairs.counts.read, "sha256": ""}]
    training = prepare_gpt2(options.base or "", learned, recipe, {"data": data}, options.device)

    def trained(folder: Path) -> _Trained:
        done = training.train(folder, callbacks)
        return _Trained(done.metrics, done.notes, done.licence)

    return _Prepared(training.made_with, trained)


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


def _described(pairs: Pairs, options: BotOptions, trained: _Trained) -> dict[str, Any]:
    """Return what bot.json says about a new way."""
    return {
        "made_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "base": options.base,
        "licence": trained.licence,
        "data": [asdict(one) for one in pairs.files] or options.source,
        "counts": asdict(pairs.counts),
        "measures": trained.measures,
    }


def _write_bot(out: Path) -> dict[str, Any]:
    """Write replies.toml if it is missing, the card, and bot.json from the way.json of each way.

    Returns:
        {way: what bot.json says about it}.
    """
    with output_errors(out), lock_folder(out):  # another run may train the other way
        if not (out / CONFIGURATION_FILE).exists():
            atomic.write_bytes(out / CONFIGURATION_FILE, default_text(DEFAULT_LABELS).encode())
        known = atomic.read_json(out / BOT_FILE).get("ways")
        ways: dict[str, Any] = dict(known) if isinstance(known, dict) else {}
        for way in WAYS:
            with contextlib.suppress(DataError):  # the bot says that this way is damaged
                if (out / way).is_dir():
                    ways[way] = read_record(out / way)["described"]
        atomic.write_bytes(out / CARD_FILE, bot_card(ways).encode())
        atomic.write_json(out / BOT_FILE, {"format": BOT_FORMAT, "ways": ways})
    return ways


@contextlib.contextmanager
def _named_without_fresh(options: BotOptions) -> Iterator[None]:
    """If a training with --fresh is interrupted, say that the next command must not have --fresh."""
    try:
        yield
    except Interrupted:
        if not options.fresh:
            raise
        raise Interrupted(
            "interrupted: to go on, run the same command again, but without --fresh; until the training is finished, "
            "the bot stays as it was"
        ) from None
