"""What a nightly job is asked for: a TOML file that is checked whole before anything runs."""

from __future__ import annotations

import datetime
import re
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, within
from emojob.pipeline.toml_file import read_toml
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions, ScoreOptions
from emojob.schemas.settings import between, check_keys, fill

DATE = "{date}"

_COMPARE = "`emojob nightly --init FILE.toml` writes one that has everything"


@dataclass(frozen=True)
class InputConfig:
    """[input]: where the logs lie."""

    files: str
    days_back: int = 14

    def __post_init__(self) -> None:
        if not self.files.strip():
            raise OptionError("input.files is empty; give a pattern such as logs/{date}*.parquet, or a folder")
        unknown = set(re.findall(r"\{[^}]*\}", self.files)) - {DATE}
        if unknown:
            raise OptionError(f"input.files has {', '.join(sorted(unknown))}; only {DATE} is known there")
        between("input.days_back", self.days_back, 0, 3650)

    @property
    def has_date(self) -> bool:
        """Whether the pattern tells which day a file belongs to."""
        return DATE in self.files


@dataclass(frozen=True)
class OutputConfig:
    """[output]: the labelled archive and its report."""

    archive: str
    report: str | None = None
    figures: str | None = None
    language: str = "en"
    keep_days: int = 400
    mask_pii: bool = True

    def __post_init__(self) -> None:
        if not self.archive.strip():
            raise OptionError("output.archive is empty; give a folder for the labelled archive")
        if self.language not in ("en", "ko"):
            raise OptionError(f"output.language is {self.language!r}; give en or ko")
        between("output.keep_days", self.keep_days, 0, 100_000)


@dataclass(frozen=True)
class ScoreConfig:
    """[score]: as the options of `emojob score`."""

    model: str | None = None
    text_column: str | None = None
    conversation_column: str | None = None
    time_column: str | None = None
    speaker_column: str | None = None
    time_zone: str | None = None
    encoding: str = ScoreOptions.encoding
    prefix: str = ScoreOptions.prefix
    device: str = ModelOptions.device
    engine: str = ModelOptions.engine
    precision: str = ModelOptions.precision
    max_length: int = ModelOptions.max_length
    max_rejects: str = ScoreOptions.max_rejects
    memo: str | None = None
    mask_pii: bool | None = None
    drop_text: bool = ScoreOptions.drop_text
    hash_columns: list[str] = field(default_factory=list)
    hash_key_file: str | None = None
    ray_address: str | None = None
    ray_cores: int | None = None

    def __post_init__(self) -> None:
        self.options()
        self.model_options()

    def options(self) -> ScoreOptions:
        """The options of a scoring run. Raises OptionError."""
        return ScoreOptions(
            text_column=self.text_column,
            encoding=self.encoding,
            prefix=self.prefix,
            max_rejects=self.max_rejects,
            conversation_column=self.conversation_column,
            time_column=self.time_column,
            speaker_column=self.speaker_column,
            memo=self.memo,
            mask_pii=self.mask_pii,
            drop_text=self.drop_text,
            hash_columns=tuple(map(str, self.hash_columns)),
            hash_key_file=self.hash_key_file,
            ray_address=self.ray_address,
            ray_cores=self.ray_cores,
        )

    def model_options(self) -> ModelOptions:
        """The options of its model. Raises OptionError."""
        return ModelOptions(
            model=self.model,
            device=self.device,
            engine=self.engine,
            precision=self.precision,
            max_length=self.max_length,
        )


@dataclass(frozen=True)
class DriftConfig:
    """[drift]: the limits beyond which there is an alarm; nightly.toml says what each one means."""

    days: int = 28
    fewest_days: int = 3
    fewest_rows: int = 200
    emotions: float = 0.2
    unsure: float = 0.10
    unknown: float = 0.02
    truncated: float = 0.05
    empty: float = 0.10
    fewest_share: float = 0.5
    most_share: float = 2.0

    def __post_init__(self) -> None:
        between("drift.days", self.days, 1, 3650)
        between("drift.fewest_days", self.fewest_days, 1, self.days)
        between("drift.fewest_rows", self.fewest_rows, 1, 10**9)
        between("drift.emotions", self.emotions, 0, 100)
        for name in ("unsure", "unknown", "truncated", "empty"):
            between(f"drift.{name}", getattr(self, name), 0, 1)
        between("drift.fewest_share", self.fewest_share, 0, 1)
        between("drift.most_share", self.most_share, 1, 1e6)


@dataclass(frozen=True)
class MonitoringConfig:
    """[monitoring]: files for those who watch over the job."""

    log: str | None = None
    prometheus: str | None = None


@dataclass(frozen=True)
class NightlyConfig:
    """A whole configuration. file: that it was read from, absolute; relative paths begin in its folder."""

    file: Path
    input: InputConfig
    output: OutputConfig
    score: ScoreConfig = field(default_factory=ScoreConfig)
    drift: DriftConfig = field(default_factory=DriftConfig)
    monitoring: MonitoringConfig = field(default_factory=MonitoringConfig)

    def path(self, given: str | None) -> Path | None:
        """A path of the configuration, absolute. Raises OptionError where it is no place of this machine."""
        place = None if given is None else self.named(given)
        if isinstance(place, ObjectPath):
            raise OptionError(f"{given} is in a store: give a file of this machine")
        return place

    def named(self, given: str) -> AnyPath:
        """A path of the configuration, absolute, or the place of a URL. Raises OptionError."""
        return within(self.file.parent, given)

    @property
    def archive(self) -> AnyPath:
        """The folder of the labelled archive."""
        return self.named(self.output.archive)

    def score_options(self) -> ScoreOptions:
        """[score] as the options of a scoring run, its paths absolute."""
        memo, key = self.path(self.score.memo), self.path(self.score.hash_key_file)
        return replace(self.score.options(), memo=str(memo) if memo else None, hash_key_file=str(key) if key else None)

    def model_options(self) -> ModelOptions:
        """[score] as the options of its model; a folder's path absolute, a hub's name as it is."""
        options = self.score.model_options()
        folder = self.named(options.model) if options.model else None
        return replace(options, model=str(folder)) if isinstance(folder, Path) and folder.is_dir() else options

    def pattern(self, day: datetime.date | None = None) -> str:
        """The pattern of a day's files; without a day, of those of all days."""
        return str(self.named(self.input.files.replace(DATE, "*" if day is None else day.isoformat())))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {name: value for name, value in asdict(self).items() if name != "file"}


_SECTIONS = {
    "input": InputConfig,
    "output": OutputConfig,
    "score": ScoreConfig,
    "drift": DriftConfig,
    "monitoring": MonitoringConfig,
}


def read_config(file: Path) -> NightlyConfig:
    """Read and check a configuration. Raises OptionError that names the file, the key, the value and what is right."""
    try:
        table = read_toml(file)
    except FileNotFoundError:
        raise OptionError(f"{file} does not exist; {_COMPARE}") from None
    except OSError as error:
        raise OptionError(f"{file} cannot be read: {error.strerror}; name another file") from None
    except ValueError as error:
        raise OptionError(f"{file} is not TOML: {error}; {_COMPARE}") from None
    try:
        check_keys("the file", table, dict.fromkeys(_SECTIONS, dict), _COMPARE, {"score", "drift", "monitoring"})
        sections: dict[str, Any] = {
            name: fill(kind, table.get(name, {}), name, _COMPARE) for name, kind in _SECTIONS.items()
        }
    except OptionError as error:
        raise OptionError(f"{file}: {error}") from None
    return NightlyConfig(file.resolve(), **sections)


def template() -> str:
    """A configuration with everything in it and what it means."""
    return (files("emojob.pipeline.nightly") / "nightly.toml").read_text(encoding="utf-8")
