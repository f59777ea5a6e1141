"""The targets of fuzzing. A target takes any bytes, and fails only if emojob breaks a promise."""

import gzip
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.models.model_folder import read_tokenizer
from emojob.pipeline.models.tokenizer import Tokenizer
from emojob.pipeline.nightly.config import read_config
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import EmojobError
from emojob.schemas.options import ReadOptions
from emojob.training.data.label_map import read_label_map

GOLDEN = Path(__file__).parents[2] / "pipeline" / "models" / "golden"
KINDS = ("csv", "tsv", "jsonl", "csv.gz", "jsonl.zst", "parquet")


def in_one_line(error: EmojobError) -> None:
    """Assert that the message of an error is one line."""
    assert len(str(error).splitlines()) == 1, error


def dataset(kind: str, folder: Path, data: bytes) -> None:
    """Assert that a file of these bytes is read without losing or adding a row, or is refused in one line."""
    file = folder / f"any.{kind}"
    file.write_bytes(data)
    for wanted in ("auto", "cp949"):
        try:
            found = open_dataset(find_inputs([str(file)]), ReadOptions(encoding=wanted))
            read = 0
            for row_batch in read_batches(found, found.sources[0]):
                assert row_batch.rows_read == row_batch.batch.num_rows + len(row_batch.rejects)
                read += row_batch.rows_read
            assert found.sources[0].rows in (None, read)  # the rows of a text file may be unknown
        except EmojobError as error:
            in_one_line(error)


def configuration(folder: Path, data: bytes) -> None:
    """Assert that these bytes are read as a nightly configuration and as a label map, or refused in one line."""
    file = folder / "any.toml"
    file.write_bytes(data)
    for read in (read_config, read_label_map):
        try:
            read(file)
        except EmojobError as error:
            in_one_line(error)


def text(_: Path, data: bytes) -> None:
    """Assert that this text has valid tokens, and that other texts do not change its tokens or its masking."""
    decoded = data.decode("utf-8", "replace")
    tokenizer = _tokenizer()
    ids = tokenizer.encode([decoded, "네"], 64).tolist()
    assert 2 <= len(ids[0]) <= 64
    assert all(0 <= one < tokenizer.vocab_size for one in ids[0])
    assert tokenizer.encode([decoded], 64).tolist()[0] == ids[0]
    assert mask_texts([decoded, "네"]) == [*mask_texts([decoded]), "네"]


@cache
def _tokenizer() -> Tokenizer:
    return read_tokenizer(GOLDEN, "the model")


TARGETS: dict[str, Callable[[Path, bytes], None]] = {
    **{kind: lambda folder, data, kind=kind: dataset(kind, folder, data) for kind in KINDS},
    "configuration": configuration,
    "text": text,
}
_CSV, _JSONL = 'id,text\n1,"두 줄\n짜리"\n2,네\n', '{"id": 1, "text": "네\\n\\u0000"}\n{"text": null}\n'


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2, 3], "text": ["네", None, "좋아요"]}), file, row_group_size=2)
    return file.getvalue()


#: First inputs of each target.
SEEDS: dict[str, list[str | bytes]] = {
    "csv": [_CSV, "text\r\n네\r\n"],
    "tsv": ["id\ttext\n1\t네\n"],
    "jsonl": [_JSONL],
    "csv.gz": [gzip.compress(_CSV.encode()), gzip.compress(b"text\n") + gzip.compress(b"a\n")],
    "jsonl.zst": [pa.compress(_JSONL.encode(), codec="zstd", asbytes=True)],
    "parquet": [_parquet()],
    "configuration": [
        '[input]\nfiles = "{date}.csv"\n[output]\narchive = "out"\nkeep_days = 3\n[score]\nmask_pii = true\n',
        '[labels]\n기쁨 = ["happy", "joy"]\n',
    ],
    "text": [
        "010-1234-5678로 전화주세요",
        "공일공 일이삼사 오육칠팔",
        "국민은행 123456-01-123456",
        "a@b.kr 서울시 강남구 테헤란로 1",
    ],
}
