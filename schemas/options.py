"""The options of a scoring run. A default stands here once; the command line takes it from here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from emojob.schemas.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "torch", "openvino", "ray")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
ENCODINGS = ("auto", "utf-8", "cp949")
CONTEXTS = ("none", "previous")

#: Shortest and longest --max-length: [CLS], one token, [SEP]; BERT's positions.
MAX_LENGTHS = (3, 512)

#: Shortest --max-length with the context `previous`: [CLS], one token, [SEP], one token, [SEP].
SHORTEST_PAIR = 5


@dataclass(frozen=True)
class ModelOptions:
    """Which model, and how it is run."""

    model: str | None = None  # None: the model that comes with the package
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    max_length: int = 64  # tokens, [CLS] and [SEP] among them
    batch_tokens: int | None = None  # tokens in one forward pass; None: what suits the device
    context: str | None = None  # None: what the model was trained for
    calibration: str | None = None  # archive of texts that int8 is calibrated on; None: the sample's

    def __post_init__(self) -> None:
        _one_of("--device", self.device, DEVICES)
        _one_of("--engine", self.engine, ENGINES)
        _one_of("--precision", self.precision, PRECISIONS)
        if self.context is not None:
            _one_of("--context", self.context, CONTEXTS)
        low, high = MAX_LENGTHS
        if not low <= self.max_length <= high:
            raise OptionError(f"--max-length {self.max_length} is out of range: give {low} to {high} tokens")
        if self.context == "previous" and self.max_length < SHORTEST_PAIR:
            raise OptionError(
                f"--max-length {self.max_length} is too short for a previous utterance beside the text: "
                f"give {SHORTEST_PAIR} to {high} tokens"
            )
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise OptionError(
                f"--batch-tokens {self.batch_tokens} is too small: give at least 1, or leave it out for the best value"
            )


@dataclass(frozen=True)
class ScoreOptions:
    """What `emojob score` does with an archive, beside the model."""

    text_column: str | None = None  # None: found among the usual names
    encoding: str = "auto"
    prefix: str = ""  # put before the names of the columns that emojob adds
    fresh: bool = False
    limit: int | None = None  # rows of the archive
    max_rejects: str = "100"  # rows, or a share such as 1%
    conversation_column: str | None = None  # None: found among the usual names where the model's context needs it
    memo: str | None = None  # file in which the memo is kept between runs
    time_column: str | None = None  # this and the next are kept in run.json for reports
    speaker_column: str | None = None
    mask_pii: bool | None = None  # in the text column and in rejects; None: in rejects alone
    drop_text: bool = False  # leave the text column out
    hash_columns: tuple[str, ...] = ()  # columns whose values are replaced by keyed hashes
    hash_key_file: str | None = None  # None: the key is in EMOJOB_HASH_KEY
    ray_address: str | None = None  # of a cluster; None: RAY_ADDRESS, or one of this machine alone
    ray_cores: int | None = None  # of each labeller on nodes without a GPU; None: what suits the nodes

    def __post_init__(self) -> None:
        if self.ray_cores is not None and self.ray_cores < 1:
            raise OptionError(f"--ray-cores {self.ray_cores} is too small: give at least 1, or leave it out")
        _one_of("--encoding", self.encoding, ENCODINGS)
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"--limit {self.limit} is too small: give at least 1, or leave it out for all rows")
        self.rejects_allowed(0)

    def rejects_allowed(self, rows: int) -> float:
        """How many rejected rows are still a success when `rows` were read."""
        number = self.max_rejects.removesuffix("%")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise OptionError(f"--max-rejects {self.max_rejects!r} is no number: give rows (100) or a share (1%)")
        return value * rows / 100 if self.max_rejects.endswith("%") else value


def as_dict(*options: ModelOptions | ScoreOptions) -> dict[str, Any]:
    """The options as plain values, for run.json."""
    return {name: value for one in options for name, value in asdict(one).items()}


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{option} {value!r} is unknown: give one of {', '.join(allowed)}")
