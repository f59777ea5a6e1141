"""The folder of a bot, and the built-in bot.

| path | content |
| --- | --- |
| replies.toml | the configuration, which the user may edit |
| bot.json | format, time, and the measures of each way |
| answers/ | the answer book, the fitted encoder (vectors.safetensors), the vectors of the questions, and way.json |
| answers/model/ | the model with the encoder, whose labels are the categories; if missing, the default model |
| .archives.json | if the bot learned from archives: their marks (see pipeline/output/derived/bots.py) |
| gpt2/ | the GPT-2 model, an index of its training answers (copies.npy), and way.json |
| _training/ | the unfinished training of a way (see `way_folders`) |

A bot without answers/ has the built-in answer book for the way `answers`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from emojob.pipeline.inference import artifact_cache
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.pipeline.replies.answers import vectors
from emojob.pipeline.replies.answers.book import AnswerBook, read_book, write_book
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.answers.choice import AnswersWay, fit_encoder
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.bot import Bot
from emojob.pipeline.replies.configuration import CONFIGURATION_FILE, read_configuration
from emojob.pipeline.replies.way_folders import (
    check_files,
    find_way,
    missing_way,
    read_record,
    repair,
    work_folder,
)
from emojob.pipeline.replies.words import ANSWERS, GPT2, WAYS
from emojob.pipeline.replies.writing import copies
from emojob.pipeline.replies.writing.gpt2_folder import load_gpt2
from emojob.pipeline.replies.written import WrittenWay
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.folders import TRAINING
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.options import ModelOptions

BOT_FILE = "bot.json"
#: Version of the folder. A newer one is refused.
BOT_FORMAT = 1
MODEL_FOLDER = "model"
BUILTIN_NAME = {"en": "the built-in bot", "ko": "내장 봇"}

_CACHED, _METHOD = "builtin_bot", 2  # name in the cache, and version of the method that makes the vectors
_VECTORS_FILE = "question_vectors.safetensors"
_GO_ON = "run the same `emojob train-replies` command again, without --fresh"
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
    ways = _find_ways(path, note)
    hashes = {way: check_files(folder, read_record(folder)) for way, folder in ways.items()}
    configuration = read_configuration(path / CONFIGURATION_FILE)
    scorer = Scorer.load(options=options, note=note)
    answers = _open_answers(ways[ANSWERS], note) if ANSWERS in ways else None
    written, builtin = None, None
    made_from: dict[str, object] = {}
    if GPT2 in ways:
        index = copies.CopyIndex.load(ways[GPT2] / copies.FILE)
        written = WrittenWay(load_gpt2(str(ways[GPT2]), "--bot"), index.longest_copied)
        builtin, made_from = builtin_way()
        answers = answers or builtin
    fingerprint = _fingerprint(path, ways, hashes, scorer, made_from)
    return Bot(str(path), fingerprint, configuration, scorer, answers, written, builtin, language)


def write_answers(folder: Path, book: AnswerBook, way: AnswersWay) -> None:
    """Write the way `answers` into an existing folder, without the model."""
    write_book(book, folder)
    way.encoder.save(folder)
    atomic.write_bytes(folder / _VECTORS_FILE, save({"vectors": way.vectors}))


def _builtin(scorer: Scorer, language: str) -> Bot:
    """Return the built-in bot."""
    way, made_from = builtin_way()
    fingerprint = hashlib.sha256(f"{BOT_FORMAT} {made_from} {scorer.fingerprint}".encode()).hexdigest()
    return Bot(BUILTIN_NAME[language], fingerprint, read_configuration(), scorer, way, language=language)


def builtin_way() -> tuple[AnswersWay, dict[str, object]]:
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
    if read_record(folder).get("classifier"):
        classifier = Scorer.load(str(own), note=note, precision="fp32")
        encoder_model = classifier.model
    else:
        encoder_model = model.load(str(own) if own.is_dir() else None)
    try:
        saved = load_file(folder / _VECTORS_FILE)["vectors"]
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(
            f"{folder / _VECTORS_FILE} is damaged, because it cannot be read ({error}): {repair(folder)}"
        ) from error
    return AnswersWay(book, TextEncoder.load(folder, encoder_model), classifier, saved)


def _find_ways(path: Path, note: Callable[[str], None]) -> dict[str, Path]:
    """Return {way: its folder} of the finished ways of a bot.

    Raises:
        OptionError: The path is no bot, or has no finished way.
        DataError: bot.json is damaged, or a way is missing.
    """
    known = _read_bot(path)
    found = {way: folder for way in WAYS if (folder := find_way(path, way)) is not None}
    for way in WAYS:
        if way in known and way not in found:
            raise missing_way(path, way)
        if work_folder(path, way).is_dir() and found.get(way) != work_folder(path, way):
            used = "the bot uses the earlier one" if way in found else "the bot does not use it"
            note(f"the training of the way {way} of {path} is not finished, so {used}; to go on, {_GO_ON}")
    return found


def _read_bot(path: Path) -> dict[str, object]:
    """Return `ways` of bot.json. Raise an error if the path is no folder of a bot."""
    file = path / BOT_FILE
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise OptionError(f"--bot {path} {what}: give the folder of a bot; {_MAKE}")
    if not file.exists():
        if any((path / name).is_dir() for name in (*WAYS, TRAINING)):
            raise OptionError(f"--bot {path} has no {BOT_FILE}, because its training is not finished: {_GO_ON}")
        raise OptionError(f"--bot {path} is no bot, because it has no {BOT_FILE}: {_MAKE}")
    described = atomic.read_json(file)
    number, ways = described.get("format"), described.get("ways")
    if type(number) is int and number > BOT_FORMAT:
        raise OptionError(f"--bot {path} has the format {number}, but this version of emojob reads {BOT_FORMAT}: "
                          "install a newer version of emojob")  # fmt: skip
    if number != BOT_FORMAT or not isinstance(ways, dict) or not ways:
        raise DataError(
            f"{file} is damaged: copy it from a backup, or run the `emojob train-replies` command of the bot again, "
            "which writes the file anew"
        )
    return ways


def _fingerprint(
    path: Path,
    ways: dict[str, Path],
    hashes: dict[str, dict[str, str]],
    scorer: Scorer,
    builtin: dict[str, object],
) -> str:
    """Return a hash of what decides the drafts.

    Args:
        path: Folder of the bot.
        ways: {way: its folder}.
        hashes: {way: {file: SHA-256}}.
        scorer: Model that scores the emotions.
        builtin: What the built-in answer book was made from; {} if it is not used.
    """
    uses_classifier = ANSWERS in ways and bool(read_record(ways[ANSWERS]).get("classifier"))
    digest = hashlib.sha256(f"{BOT_FORMAT}\x00{scorer.fingerprint}\x00{builtin}\x00{uses_classifier}".encode())
    digest.update((path / CONFIGURATION_FILE).read_bytes())
    files = [(f"{way}/{name}", one) for way in ways for name, one in hashes[way].items()]
    digest.update(json.dumps(files).encode())
    return digest.hexdigest()
