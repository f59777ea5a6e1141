"""Defines the options of a scoring run, with default values."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any

from emojob.schemas.blank import is_blank
from emojob.schemas.errors import OptionError
from emojob.schemas.messages import listed

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "torch", "openvino", "ray")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
ENCODINGS = ("auto", "utf-8", "utf-16", "cp949")
#: Values of --format. `auto`: the content of the file decides, then the name of the file. `lines`: a text file with one
#: utterance on each line.
INPUT_FORMATS = (
    "auto", "parquet", "arrow", "csv", "tsv", "jsonl", "json", "xlsx", "kakaotalk", "whatsapp", "slack", "lines",
)  # fmt: skip
CONTEXTS = ("none", "previous")
#: Values of --report-to: programs that show the curves of a training run.
TRACKERS = ("tensorboard", "mlflow", "wandb", "none")

#: Values of --conversation-scope. `input`: equal conversation IDs in two inputs are two conversations. `archive`: they
#: are one conversation. `auto`: they are one conversation if the IDs look globally unique, or if the utterances in the
#: second input soon follow the utterances in the first.
CONVERSATION_SCOPES = ("auto", "input", "archive")

#: Values of --date-order: the order of year (y), month (m) and day (d) in dates such as 03/04/26.
DATE_ORDERS = ("ymd", "mdy", "dmy")
LANGUAGES = ("en", "ko")

#: Smallest and largest value of --max-length. The smallest input has 3 tokens: [CLS], one token of the text, and [SEP].
#: The largest input of BERT has 512 tokens.
MAX_LENGTHS = (3, 512)

#: Smallest value of --max-length with --context previous: [CLS], one token, [SEP], one token, [SEP].
SHORTEST_PAIR = 5

#: Names and codes of characters that a shell or a TOML file cannot hold easily.
_DELIMITER_NAMES = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", r"\t": "\t"}
_CHARACTER_CODE = re.compile(r"(?:\\x|\\u00|0x)([0-9a-fA-F]{2})|\^([A-Z])|\\([0-7]{3})")
_NONE = "none"

#: Value of --max-rejects for 1% of the rows, at least 1 and at most 100.
AUTO = "auto"


@dataclass(frozen=True)
class ModelOptions:
    """Options of the model and the inference engine. A wrong value raises OptionError.

    Attributes:
        model: Model folder, or name of a model on the Hugging Face hub. If None, the default model is used.
        device: Device that runs the model: one of DEVICES.
        engine: Inference engine: one of ENGINES.
        precision: Number format of the computation: one of PRECISIONS.
        max_length: Maximum number of tokens of a text, including [CLS] and [SEP].
        batch_tokens: Maximum number of tokens in one forward pass. If None, the number depends on the device.
        context: `previous`: the model reads each text together with the previous utterance. `none`: the model reads
            only the text. None: as in the training of the model.
        calibration: Dataset for the calibration of int8 quantization. If None, the sample dataset is used.
        threshold: Probability at which a text carries a label, for a model with several labels a text. If None, the
            thresholds of the model are used.
    """

    model: str | None = None
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    max_length: int = 64
    batch_tokens: int | None = None
    context: str | None = None
    calibration: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        _one_of("--device", self.device, DEVICES)
        _one_of("--engine", self.engine, ENGINES)
        _one_of("--precision", self.precision, PRECISIONS)
        if self.context is not None:
            _one_of("--context", self.context, CONTEXTS)
        low, high = MAX_LENGTHS
        if not low <= self.max_length <= high:
            raise OptionError(f"--max-length {self.max_length} is out of range: give a number from {low} to {high}")
        if self.context == "previous" and self.max_length < SHORTEST_PAIR:
            raise OptionError(
                f"--max-length {self.max_length} is too small with --context previous: "
                f"give a number from {SHORTEST_PAIR} to {high}"
            )
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise OptionError(f"--batch-tokens {self.batch_tokens} is too small: give at least 1, or omit the option")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise OptionError(f"--threshold {self.threshold:g} is out of range: give a number from 0 to 1")


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading input files. A wrong value raises OptionError.

    Attributes:
        text_column: Name of the text column, or path of a nested field, such as `message.text`. If None, a column with
            a usual name, such as `text`, is used.
        encoding: Character encoding of text files: one of ENCODINGS.
        format: Format of the files: one of INPUT_FORMATS.
        delimiter: Character that separates the fields of a CSV or TSV file. `tab` and `\\t` are a tab. If None, the
            content decides, as for the next three options.
        quote: Character around fields that contain delimiters, or `none`.
        escape: Character before a quote inside a field: a backslash, `double` (the quote is written twice) or `none`.
        skip_rows: Number of lines before the header.
        sheets: Names of the sheets of a workbook to read. If empty, every sheet with a text column is read.
        explode: Name of the column or field with the turns of a conversation (a list). One row is read for each turn.
            If None, a column with a usual name, such as `messages`, is used if there is no text column.
        placeholders: Whether texts that a messenger writes in place of photos, stickers or deleted messages count as
            empty (see messengers.toml).
        date_order: Order of the dates in a chat of WhatsApp: one of DATE_ORDERS. If None, the dates of the file decide.
        as_text: Names of columns that are read as text: a column may be a number in one file and text in another.
    """

    text_column: str | None = None
    encoding: str = "auto"
    format: str = "auto"
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    skip_rows: int | None = None
    sheets: tuple[str, ...] = ()
    explode: str | None = None
    placeholders: bool = True
    date_order: str | None = None
    as_text: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _one_of("--encoding", self.encoding, ENCODINGS)
        _one_of("--format", self.format, INPUT_FORMATS)
        check_date_order(self.date_order)
        if self.delimiter is not None:
            delimiter_of(self.delimiter)
        quote = '"' if self.quote is None else quote_of(self.quote)
        if self.escape is not None:
            escape_of(self.escape, quote)
        if self.skip_rows is not None and self.skip_rows < 0:
            raise OptionError(f"--skip-rows {self.skip_rows} is too small: give 0 or more, or omit the option")


@dataclass(frozen=True)
class ScoreOptions(ReadOptions):
    """Options of `emojob score`, without the options in ModelOptions. A wrong value raises OptionError.

    Attributes:
        prefix: Prefix for the names of the columns that emojob adds, for example "v2_".
        fresh: Whether to remove the part files in OUT and label all rows again.
        limit: Label only the first `limit` rows. If None, all rows are labelled.
        max_rejects: Maximum number of rejected rows in a successful run: a number or a percentage, such as 100 or 1%.
            `auto`: 1% of the rows, at least 1 and at most 100.
        conversation_column: Name of the column that identifies conversations. If None and the model reads the previous
            utterance, a column with a usual name is used.
        memo: File of the memo (cached probabilities of repeated texts), for this run and later runs.
        time_column: Name of the column with the time of each utterance, for reports. Two names such as `date+time`: the
            columns with the day and the time of day.
        speaker_column: Name of the column that identifies speakers, for reports.
        mask_pii: Whether to mask personal data in texts and rejected rows. If None, only rejected rows are masked.
        drop_text: Whether to omit the text column from the output.
        hash_columns: Columns whose values are replaced by keyed hashes.
        hash_key_file: File with the key of the hashes. If None, the environment variable EMOJOB_HASH_KEY is used.
        ray_address: Address of a Ray cluster. If None, the environment variable RAY_ADDRESS is used. If RAY_ADDRESS is
            not set, Ray starts on this machine.
        ray_cores: Number of cores of each worker on a node without GPUs. If None, emojob chooses the number.
    """

    prefix: str = ""
    fresh: bool = False
    limit: int | None = None
    max_rejects: str = AUTO
    conversation_column: str | None = None
    memo: str | None = None
    time_column: str | None = None
    speaker_column: str | None = None
    mask_pii: bool | None = None
    drop_text: bool = False
    hash_columns: tuple[str, ...] = ()
    hash_key_file: str | None = None
    ray_address: str | None = None
    ray_cores: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ray_cores is not None and self.ray_cores < 1:
            raise OptionError(f"--ray-cores {self.ray_cores} is too small: give at least 1, or omit the option")
        if self.limit is not None and self.limit < 1:
            raise OptionError(
                f"--limit {self.limit} is too small: give at least 1, or omit the option to label all rows"
            )
        self.rejects_allowed(0)

    def rejects_allowed(self, rows: int) -> float:
        """Return the maximum number of rejected rows in a run that reads `rows` rows.

        Raises OptionError if `max_rejects` is neither `auto`, a whole number nor a percentage from 0% to 100%.
        """
        if self.max_rejects == AUTO:
            return max(1.0, min(100.0, rows / 100))
        try:
            value = float(self.max_rejects.removesuffix("%"))
        except ValueError:
            value = -1.0
        given = f"--max-rejects {self.max_rejects!r}"
        if not 0 <= value < float("inf"):
            raise OptionError(f"{given} is not a number or a percentage: give auto, 100 or 1%")
        if self.max_rejects.endswith("%"):
            if value > 100:
                raise OptionError(f"{given} is more than all rows: give at most 100%")
            return value * rows / 100
        if value != int(value):
            share = f"{value * 100:g}% for this share" if value < 1 else f"{value:g}% for a percentage"
            raise OptionError(
                f"{given} is not a whole number of rows: give {share} of the rows, or a number such as 100"
            )
        return value


@dataclass(frozen=True)
class ConversationOptions:
    """Options of the figures about conversations. A wrong value raises OptionError.

    Attributes:
        conversation_scope: Whether equal conversation IDs in two inputs are one conversation: one of
            CONVERSATION_SCOPES.
        negative: Labels that count as negative. If empty, the names of the labels decide (see schemas/labels.py).
        customer_speakers: Names of speakers who are customers, in addition to the usual names (see schemas/roles.py).
        agent_speakers: Names of speakers who are agents, in addition to the usual names.
    """

    conversation_scope: str = "auto"
    negative: tuple[str, ...] = ()
    customer_speakers: tuple[str, ...] = ()
    agent_speakers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _one_of("--conversation-scope", self.conversation_scope, CONVERSATION_SCOPES)
        given = {
            "--negative": self.negative,
            "--customer-speaker": self.customer_speakers,
            "--agent-speaker": self.agent_speakers,
        }
        for option, names in given.items():
            wrong = [name for name in names if not isinstance(name, str)]
            if wrong:
                raise OptionError(f"{option} is {wrong[0]!r}, which is not a text; give a text")
            if option != "--negative" and any(map(is_blank, names)):
                raise OptionError(f"{option} is blank; give the name of a speaker, as it is written in the archive")
        both = set(map(speaker_key, self.customer_speakers)) & set(map(speaker_key, self.agent_speakers))
        if both:
            raise OptionError(
                f"{listed(sorted(both))} is given with both --customer-speaker and --agent-speaker; give each speaker "
                "with one of the two options"
            )


def speaker_key(name: str) -> str:
    """Return a speaker's name for comparisons, without case, outer spaces and differences of Unicode normalization."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).lower())


def as_dict(*options: ModelOptions | ScoreOptions) -> dict[str, Any]:
    """Return the options as JSON values, for run.json."""
    return {name: value for one in options for name, value in asdict(one).items()}


def check_date_order(date_order: str | None) -> None:
    """Check a value of --date-order. Raises OptionError if it is neither None nor one of DATE_ORDERS."""
    if date_order is not None:
        _one_of("--date-order", date_order, DATE_ORDERS)


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{option} {value!r} is unknown: give one of {', '.join(allowed)}")


def delimiter_of(given: str) -> str:
    r"""Return the delimiter for a value of --delimiter, such as `;`, `tab` or `\x01`. Raises OptionError."""
    value = _character(given)
    if len(value) > 1 and len(set(value)) == 1 and not value.isalnum():
        raise OptionError(
            f"--delimiter {given!r} has {len(value)} characters: give one character. With --delimiter {value[0]!r}, "
            "the empty columns between two fields are left out"
        )
    if len(value) != 1 or not value.isascii() or value.isalnum() or value in "\r\n\"'\\":
        raise OptionError(
            f"--delimiter {given!r} cannot separate fields: give one ASCII character that is not a letter, a digit, a "
            r"quote, a backslash or a line end, such as ; or tab or \x01"
        )
    return value


def quote_of(given: str) -> str:
    """Return the quote character for a value of --quote; "" for `none`. Raises OptionError."""
    if given.lower() == _NONE:
        return ""
    if given in ("double", '"'):
        return '"'
    if given in ("single", "'"):
        return "'"
    raise OptionError(f"--quote {given!r} is unknown: give \" or ' or none (quotes are ordinary characters)")


def escape_of(given: str, quote: str = '"') -> str:
    r"""Return the escape character for a value of --escape: a backslash, `quote` for `double`, or "" for `none`.

    Raises OptionError for another value.
    """
    if given.lower() == _NONE:
        return ""
    if given.lower() in ("double", '"', '""') or (quote and given in (quote, 2 * quote)):
        return quote
    if given.lower() in ("\\", "\\\\", "backslash"):
        return "\\"
    raise OptionError(
        f"--escape {given!r} is unknown: give \\ (a backslash), double (a quote inside a field is written twice) or "
        "none"
    )


def _character(given: str) -> str:
    code = _CHARACTER_CODE.fullmatch(given)
    if code:
        hexadecimal, control, octal = code.groups()
        return chr(int(hexadecimal, 16) if hexadecimal else ord(control) - 64 if control else int(octal, 8))
    return _DELIMITER_NAMES.get(given.lower(), given)
