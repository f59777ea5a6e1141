"""Reads replies.toml, the configuration of a bot: the way, the tone and the fallback of each emotion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emojob.pipeline.replies.words import ANSWERS, CALM, GPT2, TONES, WARM, WAYS
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS, is_negative
from emojob.schemas.messages import listed, plural
from emojob.schemas.settings import between, fill, read_toml

CONFIGURATION_FILE = "replies.toml"
#: The configuration that a new bot gets.
DEFAULT_FILE = Path(__file__).parent / CONFIGURATION_FILE

NONE, OTHERS = "none", "*"
_COMPARE = "`emojob train-replies` writes a replies.toml with all keys into a new folder"


@dataclass(frozen=True)
class AnswersSettings:
    """Section [answers].

    Attributes:
        least_score: Below this score of the best category or question, there is no draft; 0 to 1.
    """

    least_score: float

    def __post_init__(self) -> None:
        between("answers.least_score", self.least_score, 0, 1)


@dataclass(frozen=True)
class Gpt2Settings:
    """Section [gpt2].

    Attributes:
        max_new_tokens: Maximum number of tokens of a draft.
        temperature: 0 selects the most probable token. Above 0, tokens are drawn at random.
        seed: Random seed of drawn tokens.
        least_score: A draft with a lower score is dropped; 0 to 1. The score is the geometric mean of the probabilities
            of its tokens.
    """

    max_new_tokens: int
    temperature: float
    seed: int
    least_score: float

    def __post_init__(self) -> None:
        between("gpt2.max_new_tokens", self.max_new_tokens, 1, 1024)
        between("gpt2.temperature", self.temperature, 0, 5)
        between("gpt2.seed", self.seed, 0, 2**31)
        between("gpt2.least_score", self.least_score, 0, 1)


@dataclass(frozen=True)
class EmotionSettings:
    """How to answer an emotion: a line of section [emotions].

    Attributes:
        way: ANSWERS or GPT2.
        tone: The tone of an answer from the answer book: one of TONES.
        fallback: The way that is used if the first one gives no draft: ANSWERS, GPT2 or NONE.
    """

    way: str
    tone: str
    fallback: str = NONE


@dataclass(frozen=True)
class Configuration:
    """The configuration of a bot."""

    answers: AnswersSettings
    gpt2: Gpt2Settings
    emotions: dict[str, EmotionSettings] = field(hash=False)

    def of(self, emotion: str | None) -> EmotionSettings:
        """Return the settings of an emotion. The line `*` is for emotions without a line, and for None."""
        default = self.emotions.get(OTHERS, EmotionSettings(ANSWERS, CALM))
        return self.emotions.get(emotion or OTHERS, default)

    def ways(self, emotion: str | None, available: tuple[str, ...]) -> tuple[str, ...]:
        """Return the ways to try for an emotion, in order. Only ways in `available` are returned."""
        settings = self.of(emotion)
        wanted = dict.fromkeys((settings.way, settings.fallback))
        return tuple(way for way in wanted if way in available)

    def unknown_emotions(self, bot: str, labels: Sequence[str]) -> list[str]:
        """Return a line about emotions in replies.toml that no text can have: one or none.

        The lines of the default file may stay, whatever the labels are.

        Args:
            bot: Name of the bot.
            labels: Labels that a text can have.
        """
        wrong = [name for name in self.emotions if name not in (OTHERS, *DEFAULT_LABELS, *labels)]
        if not wrong:
            return []
        lines = "a line" if len(wrong) == 1 else "lines"
        return [
            f"{CONFIGURATION_FILE} of {bot} has {lines} for {listed(wrong)}, but the labels are {listed(labels)}: "
            f"correct the {plural(len(wrong), 'name')}"
        ]


def read_configuration(file: Path = DEFAULT_FILE) -> Configuration:
    """Read replies.toml.

    Raises:
        OptionError: The file is missing, is not valid TOML, or has a wrong key or value.
    """
    try:
        table = read_toml(file)
    except OSError as error:
        raise OptionError(
            f"{file} cannot be read ({error.strerror}): copy replies.toml from another bot, or run the "
            "`emojob train-replies` command of the bot again, which writes the file if it is missing"
        ) from error
    except ValueError as error:
        raise OptionError(f"{file} is not valid TOML ({error}): correct the line") from error
    unknown = [key for key in table if key not in ("answers", "gpt2", "emotions")]
    if unknown:
        raise OptionError(f"{file} has the unknown section {unknown[0]!r}; the sections are answers, gpt2 and emotions")
    sections = {key: _table(file, table.get(key), key) for key in ("answers", "gpt2", "emotions")}
    emotions = {name: _emotion(file, name, line) for name, line in sections["emotions"].items()}
    try:
        answers = fill(AnswersSettings, sections["answers"], "answers", _COMPARE)
        return Configuration(answers, fill(Gpt2Settings, sections["gpt2"], "gpt2", _COMPARE), emotions)
    except OptionError as error:
        raise OptionError(f"{file}: {error}") from None


def default_text(emotions: tuple[str, ...] = ()) -> str:
    """Return the text of the default replies.toml, with a line for each other emotion of a model.

    Args:
        emotions: Emotions of the model. A negative one gets the way answers and the tone warm.
    """
    known = read_configuration().emotions
    lines = []
    for name in emotions:
        if name not in known:
            way, tone, fallback = (ANSWERS, WARM, NONE) if is_negative(name) else (GPT2, CALM, ANSWERS)
            lines.append(f'{_quoted(name)} = {{ way = "{way}", tone = "{tone}", fallback = "{fallback}" }}\n')
    return DEFAULT_FILE.read_text(encoding="utf-8") + "".join(lines)


def _quoted(name: str) -> str:
    """Return a TOML key in quotes."""
    escaped = re.sub(r'[\\"\x00-\x1f\x7f]', lambda found: f"\\u{ord(found[0]):04x}", name)
    return f'"{escaped}"'


def _table(file: Path, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OptionError(f"{file} lacks the section [{name}]; {_COMPARE}")
    return value


def _emotion(file: Path, name: str, line: Any) -> EmotionSettings:
    where = f"{file}: emotions.{name}"
    if not isinstance(line, dict):
        raise OptionError(f'{where} is {line!r}; give a line such as {{ way = "answers", tone = "calm" }}')
    settings = fill(EmotionSettings, line, where, _COMPARE)
    for key, known in (("way", WAYS), ("tone", TONES), ("fallback", (*WAYS, NONE))):
        if getattr(settings, key) not in known:
            raise OptionError(f"{where}.{key} is {getattr(settings, key)!r}; give {', '.join(known)}")
    return settings
