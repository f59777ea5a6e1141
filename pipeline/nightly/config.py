"""Reads and checks the configuration file of nightly runs (TOML)."""

from __future__ import annotations

import contextlib
import datetime
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from emojob.pipeline.storage.paths import AnyPath, as_local, is_object, path_from
from emojob.schemas.errors import InputError, OptionError
from emojob.schemas.options import ConversationOptions, ModelOptions, ScoreOptions, check_date_order
from emojob.schemas.settings import between, check_keys, field_types, fill, read_toml, with_settings

_DATE = re.compile(r"\{date(?::([^{}]*))?\}")
_CODE = re.compile(r"%[-_0^#]?[A-Za-z]")  # a code of strftime, such as %Y
_ANY = "\0"  # mark for a part of a date
_TESTED_DAYS = 800  # number of days whose file names must differ

_COMPARE = "`emojob nightly --init FILE.toml` writes an example with all keys"

# Options of `emojob score` that are not allowed in the section [score].
_NOT_NIGHTLY = {"batch_tokens", "context", "calibration", "fresh", "limit"}


@dataclass(frozen=True)
class InputConfig:
    """The section [input]: the paths of the logs.

    Attributes:
        files: Path pattern. `{date}` stands for a day, such as 2026-11-25, and `{date:%Y%m%d}` for 20261125 (codes of
            strftime).
        days_back: Number of earlier days whose files are also checked, to find late files.
    """

    files: str
    days_back: int = 14

    def __post_init__(self) -> None:
        if not self.files.strip():
            raise OptionError("input.files is empty; give a pattern such as logs/{date}*.parquet, or a folder")
        unknown = {one for one in re.findall(r"\{[^}]*\}", self.files) if not _DATE.fullmatch(one)}
        if unknown:
            raise OptionError(
                f"input.files contains {', '.join(sorted(unknown))}, but the only allowed placeholder is {{date}}, "
                "also with a format, such as {date:%Y%m%d}"
            )
        if self.has_date:
            self._check_format()
        between("input.days_back", self.days_back, 0, 3650)

    @property
    def has_date(self) -> bool:
        """Return whether the pattern contains `{date}`."""
        return _DATE.search(self.files) is not None

    def of_day(self, day: datetime.date) -> str:
        """Return the pattern of a day's files."""
        return _DATE.sub(lambda found: day.strftime(found[1]) if found[1] else day.isoformat(), self.files)

    @property
    def of_all_days(self) -> str:
        """Return the pattern of the files of all days."""
        marked = _DATE.sub(lambda found: _CODE.sub(_ANY, found[1]) if found[1] else _ANY, self.files)
        return re.sub(rf"\*?{_ANY}[{_ANY}*]*", "*", marked)  # ** would also match folders

    def _check_format(self) -> None:
        """Raise OptionError if the files of two days can have the same name, for example with {date:%m%d}."""
        first = datetime.date(2026, 1, 1)
        days = [first + datetime.timedelta(days=number) for number in range(_TESTED_DAYS)]
        if "%%" in self.files or len(set(map(self.of_day, days))) < len(days):
            raise OptionError(
                f"input.files is {self.files!r}, but the format does not tell the days apart: give year, month and "
                "day, such as {date:%Y%m%d} or {date:%Y}/{date:%m}/{date:%d}"
            )


@dataclass(frozen=True)
class OutputConfig:
    """The section [output]: the labelled archive and the report.

    Attributes:
        archive: Folder of the labelled archive.
        report: Path of the HTML report. If None, no HTML report is written.
        figures: Path of the JSON report. If None, no JSON report is written.
        language: Language of the HTML report, and of the lines of a run: en or ko.
        keep_days: Number of days to keep. Rows of older days are removed. 0 keeps all rows.
        mask_pii: Whether to mask personal data in the reports.
    """

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
    """The section [score]: options of `emojob score`.

    Attributes:
        options: Options of the scoring run.
        model: Options of the model.
        time_zone: Time zone for the days and hours in the report. If None, the archive's time zone is used. If the
            archive has no time zone, Asia/Seoul is used.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. If None, the values of the time column tell the
            order.
    """

    options: ScoreOptions = field(default_factory=ScoreOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    time_zone: str | None = None
    date_order: str | None = None

    def __post_init__(self) -> None:
        check_date_order(self.date_order)

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> ScoreConfig:
        """Read the section [score]. Raises OptionError for an unknown key or a wrong value."""
        kinds = (ScoreOptions, ModelOptions)
        types = {name: type_ for kind in kinds for name, type_ in field_types(kind).items() if name not in _NOT_NIGHTLY}
        expected = {name: list if type_ is tuple else type_ for name, type_ in types.items()} | {
            "time_zone": str,
            "date_order": str,
        }
        number = table.get("max_rejects")
        if isinstance(number, int | float) and not isinstance(number, bool):  # its own check says what is right
            table = {**table, "max_rejects": str(number)}
        check_keys("score", table, expected, _COMPARE, set(expected))
        values: dict[str, Any] = {
            name: tuple(map(str, value)) if types.get(name) is tuple else value for name, value in table.items()
        }
        score, model = ({name: values[name] for name in field_types(kind) if name in values} for kind in kinds)
        return cls(ScoreOptions(**score), ModelOptions(**model), values.get("time_zone"), values.get("date_order"))


@dataclass(frozen=True)
class DriftConfig:
    """The section [drift]: the smallest changes that raise a drift alarm. nightly.toml explains each key."""

    days: int = 28
    fewest_days: int = 3
    fewest_rows: int = 200
    holidays: tuple[str | datetime.date, ...] = ()
    emotions: float = 0.2
    label: float = 0.02
    unsure: float = 0.10
    unknown: float = 0.02
    truncated: float = 0.03
    empty: float = 0.02
    fewest_share: float = 0.65
    most_share: float = 1.6

    def __post_init__(self) -> None:
        between("drift.days", self.days, 1, 3650)
        between("drift.fewest_days", self.fewest_days, 1, self.days)
        between("drift.fewest_rows", self.fewest_rows, 1, 10**9)
        between("drift.emotions", self.emotions, 0, 100)
        for name in ("label", "unsure", "unknown", "truncated", "empty"):
            between(f"drift.{name}", getattr(self, name), 0, 1)
        between("drift.fewest_share", self.fewest_share, 0, 1)
        between("drift.most_share", self.most_share, 1, 1e6)
        _ = self.days_off

    @property
    def days_off(self) -> frozenset[datetime.date]:
        """Return `holidays` as dates. Raises OptionError for a value that is not a date."""
        try:
            return frozenset(datetime.date.fromisoformat(str(one)) for one in self.holidays)
        except ValueError:
            raise OptionError(
                f"drift.holidays is {list(map(str, self.holidays))}, but a value is not a date; give a list of dates, "
                "such as [2026-09-25, 2026-09-26]"
            ) from None


@dataclass(frozen=True)
class MonitoringConfig:
    """The section [monitoring]: files for monitoring the nightly runs.

    Attributes:
        log: Log file. A nightly run appends a JSON line. If None, no log is written.
        prometheus: Metrics file for node_exporter. If None, no metrics are written.
    """

    log: str | None = None
    prometheus: str | None = None


@dataclass(frozen=True)
class NightlyConfig:
    """A complete configuration of nightly runs.

    Attributes:
        file: Absolute path of the TOML file. Relative paths in the file start in its folder.
        input: Paths of the logs.
        output: Paths and settings of the labelled archive and the report.
        score: Options of `emojob score`.
        report: Settings of the figures about conversations.
        drift: Limits of the drift alarms.
        monitoring: Files for monitoring the nightly runs.
    """

    file: Path
    input: InputConfig
    output: OutputConfig
    score: ScoreConfig = field(default_factory=ScoreConfig)
    report: ConversationOptions = field(default_factory=ConversationOptions)
    drift: DriftConfig = field(default_factory=DriftConfig)
    monitoring: MonitoringConfig = field(default_factory=MonitoringConfig)

    def local_path(self, given: str | None) -> Path | None:
        """Return `given` as an absolute local path; None if `given` is None.

        Raises OptionError for an object store URL.
        """
        path = None if given is None else self.resolve(given)
        if path is not None and is_object(path):
            raise OptionError(f"{given} is an object store URL, but this setting must be local; give a local path")
        return None if path is None else as_local(path)

    def resolve(self, given: str) -> AnyPath:
        """Return a path or URL. A relative path starts in the folder of `file`, and `~` is the home folder.

        Raises OptionError for an invalid URL.
        """
        at_home = given == "~" or given.startswith("~/")
        return path_from(self.file.parent, str(Path(given).expanduser()) if at_home else given)

    @property
    def archive(self) -> AnyPath:
        """Return the folder of the labelled archive."""
        return self.resolve(self.output.archive)

    @property
    def own_files(self) -> list[AnyPath]:
        """Return the paths that nightly runs write: the archive, the reports, the memo and the files for monitoring."""
        given = (self.output.report, self.output.figures, self.monitoring.log, self.monitoring.prometheus)
        memo = self.score.options.memo
        return [self.archive, *(self.resolve(one) for one in (*given, memo) if one)]

    def score_options(self) -> ScoreOptions:
        """Return the options of the scoring run, with absolute paths."""
        memo, key = (self.local_path(path) for path in (self.score.options.memo, self.score.options.hash_key_file))
        return replace(self.score.options, memo=str(memo) if memo else None, hash_key_file=str(key) if key else None)

    def model_options(self) -> ModelOptions:
        """Return the options of the model. The path of a local model folder becomes absolute."""
        options = self.score.model
        folder = as_local(self.resolve(options.model)) if options.model else None
        return replace(options, model=str(folder)) if folder and folder.is_dir() else options

    def pattern_path(self, day: datetime.date | None = None) -> AnyPath:
        """Return the path pattern for `day`. If `day` is None, the pattern matches the files of all days."""
        return self.resolve(self.input.of_all_days if day is None else self.input.of_day(day))

    def pattern(self, day: datetime.date | None = None) -> str:
        """Return `pattern_path` as a string."""
        return str(self.pattern_path(day))


# Options of `emojob score` whose settings have another name.
_OTHER_NAMES = {
    "sheets": "--sheet",
    "hash_columns": "--hash-column",
    "customer_speakers": "--customer-speaker",
    "agent_speakers": "--agent-speaker",
}


def in_settings(message: str) -> str:
    """Return a message of a scoring run in which settings of the configuration file replace options of a command."""
    start_over = r"give another (?:path|output) with -o, (.+), or start over with --fresh"
    message = re.sub(start_over, r"give another folder with output.archive, or \1", message)
    message = re.sub(r",? or start over with --fresh", "", message)
    return with_settings(message, {**_settings(), "-o": "output.archive"})


@functools.cache
def _settings() -> dict[str, str]:
    """Return {option of a command: setting}, as `with_settings` expects it."""
    sections = {"score": (ScoreOptions, ModelOptions), "report": (ConversationOptions,)}
    ends: dict[Any, str] = {bool: "=", tuple: "[]"}
    found = {
        _OTHER_NAMES.get(name, f"--{name.replace('_', '-')}"): f"{section}.{name}{ends.get(kind, '')}"
        for section, classes in sections.items()
        for one in classes
        for name, kind in field_types(one).items()
        if name not in _NOT_NIGHTLY
    }
    return {**found, "--time-zone": "score.time_zone"}


@contextlib.contextmanager
def errors_in_settings() -> Iterator[None]:
    """In the `with` block, errors about options name the settings of the configuration file."""
    try:
        yield
    except InputError as error:
        error.args = (in_settings(str(error)),)
        raise


_SECTIONS: dict[str, Any] = {
    "input": InputConfig,
    "output": OutputConfig,
    "score": ScoreConfig,
    "report": ConversationOptions,
    "drift": DriftConfig,
    "monitoring": MonitoringConfig,
}


def read_config(file: Path) -> NightlyConfig:
    """Read and check a configuration file.

    Raises:
        OptionError: The file cannot be read, or a key or value is wrong.
    """
    try:
        table = read_toml(file)
    except FileNotFoundError:
        raise OptionError(f"{file} does not exist; {_COMPARE}") from None
    except OSError as error:
        raise OptionError(
            f"{file} cannot be read: {error.strerror}; check the path and the permissions of the file"
        ) from None
    except ValueError as error:
        raise OptionError(f"{file} is not valid TOML: {error}; correct the file ({_COMPARE})") from None
    try:
        check_keys(
            "the file", table, dict.fromkeys(_SECTIONS, dict), _COMPARE, {"score", "report", "drift", "monitoring"}
        )
        sections = {name: _section(name, table.get(name, {})) for name in _SECTIONS}
    except OptionError as error:
        raise OptionError(f"{file}: {in_settings(str(error))}") from None
    return NightlyConfig(file.resolve(), **sections)


def _section(name: str, table: dict[str, Any]) -> Any:
    if name == "score":
        return ScoreConfig.from_table(table)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return fill(_SECTIONS[name], values, name, _COMPARE)


def template(language: str = "en") -> str:
    """Return the text of the example configuration file, nightly.toml, with a language of the report: en or ko."""
    text = (files("emojob.pipeline.nightly") / "nightly.toml").read_text(encoding="utf-8")
    return text.replace('language = "en"', f'language = "{language}"')
