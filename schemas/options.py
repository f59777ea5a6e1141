"""Defines the options of a scoring run and their defaults. The command line uses the same defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from emojob.schemas.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "torch", "openvino", "ray")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
ENCODINGS = ("auto", "utf-8", "cp949")
CONTEXTS = ("none", "previous")

#: Smallest and largest value of --max-length. 3 tokens are [CLS], one token of the text and [SEP]. BERT has at most
#: 512 positions.
MAX_LENGTHS = (3, 512)

#: Smallest value of --max-length with the context `previous`: [CLS], one token, [SEP], one token and [SEP].
SHORTEST_PAIR = 5


@dataclass(frozen=True)
class ModelOptions:
    """Options of the model and its engine. The constructor raises OptionError for a wrong value.

    Attributes:
        model: Model folder, or name of a model on the Hugging Face hub. If None, the default model is used.
        device: Device that runs the model: one of DEVICES.
        engine: Inference engine: one of ENGINES.
        precision: Number format in which the model computes: one of PRECISIONS.
        max_length: Maximum number of tokens that the model reads per text, [CLS] and [SEP] included.
        batch_tokens: Maximum number of tokens in one forward pass. If None, the number depends on the device.
        context: `previous` if the model reads the previous utterance with each text, otherwise `none`. If None, the
            context with which the model was trained is used.
        calibration: Dataset with texts to calibrate the int8 quantization. If None, the sample dataset is used.
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
            raise OptionError(f"--max-length {self.max_length} is out of range: give a number from {low} to {high}")
        if self.context == "previous" and self.max_length < SHORTEST_PAIR:
            raise OptionError(
                f"--max-length {self.max_length} is too small for a text with its previous utterance: "
                f"give a number from {SHORTEST_PAIR} to {high}"
            )
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise OptionError(f"--batch-tokens {self.batch_tokens} is too small: give at least 1, or omit the option")


@dataclass(frozen=True)
class ScoreOptions:
    """The options of `emojob score` that are not in ModelOptions. The constructor raises OptionError for a wrong value.

    Attributes:
        text_column: Name of the text column. If None, a column with a usual name, such as `text`, is used.
        encoding: Character encoding of the input files that are not Parquet: one of ENCODINGS.
        prefix: Text at the beginning of the name of each column that emojob adds.
        fresh: Whether to remove the part files in OUT and label all rows again.
        limit: Number of rows to label, from the beginning of the dataset. If None, all rows are labelled.
        max_rejects: Maximum number of rejected rows in a successful run: a number, or a percentage such as 1%.
        conversation_column: Name of the column that identifies conversations. If None, a column with a usual name is
            used, but only if the model reads the previous utterance.
        memo: File with cached probabilities of repeated texts. Later runs use it, too.
        time_column: Name of the column with the time of each utterance. Reports read the name from run.json.
        speaker_column: Name of the column that identifies speakers. Reports read the name from run.json.
        mask_pii: Whether to mask personal data in the text column and in rejected rows. If None, only rejected rows
            are masked.
        drop_text: Whether to omit the text column from the output.
        hash_columns: Names of the columns whose values are replaced by keyed hashes.
        hash_key_file: File with the key of the hashes. If None, the environment variable EMOJOB_HASH_KEY is used.
        ray_address: Address of a Ray cluster. If None, the environment variable RAY_ADDRESS is used. If that is not
            set, Ray starts on this machine.
        ray_cores: Number of cores for each worker on a node without a GPU. If None, the number depends on the node.
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
            raise OptionError(f"--ray-cores {self.ray_cores} is too small: give at least 1, or omit the option")
        _one_of("--encoding", self.encoding, ENCODINGS)
        if self.limit is not None and self.limit < 1:
            raise OptionError(
                f"--limit {self.limit} is too small: give at least 1, or omit the option to label all rows"
            )
        self.rejects_allowed(0)

    def rejects_allowed(self, rows: int) -> float:
        """Return how many rejected rows `max_rejects` allows if a run reads `rows` rows. Raises OptionError."""
        number = self.max_rejects.removesuffix("%")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise OptionError(
                f"--max-rejects {self.max_rejects!r} is neither a number of rows nor a percentage: give, for example, "
                "100 or 1%"
            )
        return value * rows / 100 if self.max_rejects.endswith("%") else value


def as_dict(*options: ModelOptions | ScoreOptions) -> dict[str, Any]:
    """Return the options as JSON values, for run.json."""
    return {name: value for one in options for name, value in asdict(one).items()}


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{option} {value!r} is unknown: give one of {', '.join(allowed)}")
