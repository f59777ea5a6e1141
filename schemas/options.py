"""Defines the options of a scoring run and their defaults, which the command line uses, too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from emojob.schemas.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "torch", "openvino", "ray")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
ENCODINGS = ("auto", "utf-8", "cp949")
CONTEXTS = ("none", "previous")

#: Smallest and largest --max-length. The smallest has room for [CLS], one token and [SEP]; BERT has 512 positions.
MAX_LENGTHS = (3, 512)

#: Smallest --max-length with the context `previous`. It has room for [CLS], one token, [SEP], one token and [SEP].
SHORTEST_PAIR = 5


@dataclass(frozen=True)
class ModelOptions:
    """Options of the model and its engine. The constructor raises OptionError for a wrong value.

    Attributes:
        model: Model folder or name on the Hugging Face hub. If None, the default model is used.
        device: One of DEVICES.
        engine: One of ENGINES.
        precision: One of PRECISIONS.
        max_length: Largest number of tokens of a text, [CLS] and [SEP] included.
        batch_tokens: Number of tokens in one forward pass. If None, it depends on the device.
        context: One of CONTEXTS. If None, the context that the model was trained with is used.
        calibration: Dataset whose texts are used to calibrate int8. If None, the sample is used.
    """

    model: str | None = None
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    max_length: int = 64
    batch_tokens: int | None = None
    context: str | None = None
    calibration: str | None = None

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
                f"--max-length {self.max_length} is too short for a text and its previous utterance: "
                f"give {SHORTEST_PAIR} to {high} tokens"
            )
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise OptionError(f"--batch-tokens {self.batch_tokens} is too small: give at least 1, or leave it out")


@dataclass(frozen=True)
class ScoreOptions:
    """Options of `emojob score`, except for ModelOptions. The constructor raises OptionError for a wrong value.

    Attributes:
        text_column: Name of the text column. If None, a column with a usual name is used.
        encoding: One of ENCODINGS, for the text formats.
        prefix: Prefix of the names of the columns that emojob adds.
        fresh: Whether to remove the parts in OUT and start over.
        limit: Number of rows of the dataset to label. If None, all rows are labelled.
        max_rejects: Most rejected rows for which the run succeeds: a number, or a percentage such as 1%.
        conversation_column: Name of the column that identifies conversations. If None, and the model reads previous
            utterances, a column with a usual name is used.
        memo: File that keeps the memo (a cache of the labels of repeated texts) between runs.
        time_column: Name of the column with the time. run.json stores it for reports.
        speaker_column: Name of the column that identifies speakers. run.json stores it for reports.
        mask_pii: Whether to mask personal data in the text column and in rejects. If None, only rejects are masked.
        drop_text: Whether to leave the text column out of the output.
        hash_columns: Names of the columns whose values are replaced by keyed hashes.
        hash_key_file: File with the key of the hashes. If None, the environment variable EMOJOB_HASH_KEY is used.
        ray_address: Address of a Ray cluster. If None, RAY_ADDRESS is used, or else a cluster on this machine.
        ray_cores: Number of cores for each worker on a node without a GPU. If None, it depends on the node.
    """

    text_column: str | None = None
    encoding: str = "auto"
    prefix: str = ""
    fresh: bool = False
    limit: int | None = None
    max_rejects: str = "100"
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
        if self.ray_cores is not None and self.ray_cores < 1:
            raise OptionError(f"--ray-cores {self.ray_cores} is too small: give at least 1, or leave it out")
        _one_of("--encoding", self.encoding, ENCODINGS)
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"--limit {self.limit} is too small: give at least 1, or leave it out for all rows")
        self.rejects_allowed(0)

    def rejects_allowed(self, rows: int) -> float:
        """Return how many of `rows` rows may be rejected in a successful run. Raises OptionError."""
        number = self.max_rejects.removesuffix("%")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise OptionError(
                f"--max-rejects {self.max_rejects!r} is not a number: give a number of rows (100) or a percentage (1%)"
            )
        return value * rows / 100 if self.max_rejects.endswith("%") else value


def as_dict(*options: ModelOptions | ScoreOptions) -> dict[str, Any]:
    """Return the options as JSON values, for run.json."""
    return {name: value for one in options for name, value in asdict(one).items()}


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{option} {value!r} is unknown: give one of {', '.join(allowed)}")
