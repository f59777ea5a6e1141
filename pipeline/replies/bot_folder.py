"""The folder of a bot, and the built-in bot.

| path | content |
| --- | --- |
| replies.toml | the configuration, which the user may edit |
| bot.json | format, time, and the measures of each way |
| answers/ | way.json, the answer book, the fitted encoder (vectors.safetensors), and the vectors of the questions |
| answers/model/ | the model with the encoder, whose labels are the categories; if missing, the default model |
| .archives.json | if the bot learned from archives: their marks (see pipeline/output/derived/bots.py) |
| gpt2/ | the GPT-2 model, and an index of its training answers (copies.npy) |

A bot without answers/ has the built-in answer book for the way `answers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from emojob.pipeline.inference import artifact_cache
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.pipeline.models.model_folder import TRAINING
from emojob.pipeline.replies.answers import vectors
from emojob.pipeline.replies.answers.book import AnswerBook, read_book, write_book
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.answers.choice import AnswersWay, fit_encoder
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.bot import Bot
from emojob.pipeline.replies.configuration import CONFIGURATION_FILE, read_configuration
from emojob.pipeline.replies.words import ANSWERS, GPT2
from emojob.pipeline.replies.writing import copies
from emojob.pipeline.replies.writing.gpt2_folder import load_gpt2
from emojob.pipeline.replies.written import WrittenWay
from emojob.pipeline.storage import atomic
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.options import ModelOptions

BOT_FILE = "bot.json"
#: Version of the folder. A newer one is refused.
BOT_FORMAT = 1
MODEL_FOLDER = "model"
#: File in answers/: the inputs of the training, and whether the classifier is used. It is written last.
WAY_FILE = "way.json"
BUILTIN_NAME = {"en": "the built-in bot", "ko": "내장 봇"}

_CACHED, _METHOD = "builtin_bot", 2  # name in the cache, and version of the method that makes the vectors
_VECTORS_FILE = "question_vectors.safetensors"
_MAKE = "make one with `emojob train-replies --data FILE -o BOT`, or omit --bot for the built-in answer book"


def open_bot(
    folder: str | None,
    options: ModelOptions | None = None,
    language: str = "en",
    note: Callable[[str], None] = lambda text: None,
) -> Bot:
    """Open a bot.

    Args:
        folder: Folder of a bot. None: the built-in bot, which has only the built-in answer book.
        options: The model that scores the emotions of texts and drafts.
        language: Language of the notes of the bot: en or ko.
        note: callback(message), for messages about the models.

    Raises:
        OptionError: The folder is no bot, or replies.toml is wrong.
        DataError: A file of the bot is damaged.
        ModelError: A model cannot be used.
    """
    if folder is None:
        return _builtin(Scorer.load(options=options, note=note), language)
    path = Path(folder)
    _check(path)
    configuration = read_configuration(path / CONFIGURATION_FILE)
    scorer = Scorer.load(options=options, note=note)
    answers = _open_answers(path / ANSWERS, note) if (path / ANSWERS).is_dir() else None
    written, builtin = None, None
    made_from: dict[str, object] = {}
    if (path / GPT2).is_dir():
        index = copies.CopyIndex.load(path / GPT2 / copies.FILE)
        written = WrittenWay(load_gpt2(str(path / GPT2), "--bot"), index.longest_copied)
        builtin, made_from = _builtin_way()
        answers = answers or builtin
    fingerprint = _fingerprint(path, scorer, made_from)
    return Bot(str(path), fingerprint, configuration, scorer, answers, written, builtin, language)


def write_answers(folder: Path, book: AnswerBook, way: AnswersWay) -> None:
    """Write the way `answers` into an existing folder, without the model."""
    write_book(book, folder)
    way.encoder.save(folder)
    atomic.write_bytes(folder / _VECTORS_FILE, save({"vectors": way.vectors}))


def _builtin(scorer: Scorer, language: str) -> Bot:
    """Return the built-in bot."""
    way, made_from = _builtin_way()
    fingerprint = hashlib.sha256(f"{BOT_FORMAT} {made_from} {scorer.fingerprint}".encode()).hexdigest()
    return Bot(BUILTIN_NAME[language], fingerprint, read_configuration(), scorer, way, language=language)


def _builtin_way() -> tuple[AnswersWay, dict[str, object]]:
    """Return the built-in answer book, and what it was made from.

    Its vectors are computed once and kept in the cache folder of the default model.
    """
    book, encoder_model = read_builtin_book(), model.load()
    texts = [*book.questions, *book.answers]
    groups = np.concatenate([book.question_groups, book.answer_groups])
    digest = hashlib.sha256(np.ascontiguousarray(groups, "<i4").tobytes())
    for text in [*book.groups, *texts]:
        digest.update(text.encode() + b"\x00")
    made_from = {"book": digest.hexdigest(), "model": encoder_model.fingerprint, "method": _METHOD}
    saved = artifact_cache.load(encoder_model, _CACHED, made_from)
    if saved:
        encoder = TextEncoder.load(saved["folder"], encoder_model)
        way = AnswersWay(book, encoder, vectors=load_file(saved["folder"] / _VECTORS_FILE)["vectors"])
    else:
        encoder, of_questions = fit_encoder(encoder_model, book)
        way = AnswersWay(book, encoder, vectors=of_questions)
        files = {vectors.FILE: way.encoder.to_bytes(), _VECTORS_FILE: save({"vectors": way.vectors})}
        artifact_cache.save(encoder_model, _CACHED, made_from, {}, files)
    return way, made_from


def _open_answers(folder: Path, note: Callable[[str], None]) -> AnswersWay:
    book = read_book(folder)
    own = folder / MODEL_FOLDER
    classifier = None
    described = atomic.read_json(folder / WAY_FILE) or {}
    if own.is_dir() and described.get("classifier"):
        classifier = Scorer.load(str(own), note=note, precision="fp32")
        encoder_model = classifier.model
    else:
        encoder_model = model.load(str(own) if own.is_dir() else None)
    try:
        saved = load_file(folder / _VECTORS_FILE)["vectors"]
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(
            f"{folder / _VECTORS_FILE} cannot be read ({error}); make the bot again with emojob train-replies"
        ) from error
    return AnswersWay(book, TextEncoder.load(folder, encoder_model), classifier, saved)


def _check(path: Path) -> None:
    """Raise an error if a path is no folder of a bot."""
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise OptionError(f"--bot {path} {what}: give the folder of a bot; {_MAKE}")
    described = atomic.read_json(path / BOT_FILE)
    if not isinstance(described, dict) or not any((path / way).is_dir() for way in (ANSWERS, GPT2)):
        raise OptionError(f"--bot {path} is no bot, because it has no {BOT_FILE} with answers/ or gpt2/: {_MAKE}")
    number = described.get("format")
    if not isinstance(number, int) or number > BOT_FORMAT:
        raise OptionError(f"--bot {path} has the format {number!r}, but this version of emojob reads {BOT_FORMAT}: "
                          "install a newer version of emojob")  # fmt: skip


def _fingerprint(path: Path, scorer: Scorer, builtin: dict[str, object]) -> str:
    """Return a hash of what decides the drafts: the files, the scorer, and what the built-in book was made from.

    Hidden files do not count.
    """
    digest = hashlib.sha256(f"{BOT_FORMAT}\x00{scorer.fingerprint}\x00{builtin}".encode())
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path)
        is_other = inner.name.startswith(".") or inner.name == BOT_FILE or inner.suffix == ".md"
        if file.is_file() and TRAINING not in inner.parts and not is_other:
            digest.update(str(inner).encode("utf-8", "surrogateescape") + b"\x00")
            with file.open("rb") as stream:
                for block in iter(partial(stream.read, 1 << 20), b""):
                    digest.update(block)
    return digest.hexdigest()
