"""A chat with personal data for tests of privacy, and readers of what the commands write."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PHONE, MAIL = "010-1234-5678", "hong@example.kr"
HEAD = ("conversation_id", "speaker", "text", "sent_at")
ROWS = [
    ("c1", "홍길동", f"제 번호는 {PHONE}로 주세요", "2026-11-20 10:00"),
    ("c1", "상담원", "네 감사합니다", "2026-11-20 10:01"),
    ("c2", "김철수", f"배송이 늦어서 화가 나요 {MAIL}으로 답 주세요", "2026-11-21 11:00"),
    ("c2", "상담원", "죄송합니다 바로 확인하겠습니다", "2026-11-21 11:01"),
    ("c3", "홍길동", "정말 고마워요 덕분에 살았어요", "2026-11-21 12:00"),
    ("c3", "상담원", "아니에요 또 불러 주세요", "2026-11-21 12:02"),
]
KEY = "a key of more than sixteen bytes"


def table(out: str) -> pa.Table:
    """All rows of a labelled archive: a folder or one file."""
    files = sorted(Path(out).glob("part-*.parquet")) if Path(out).is_dir() else [Path(out)]
    return pa.concat_tables([pq.read_table(file) for file in files])


def content(file: Path) -> bytes:
    """The bytes of a file, and all its pages that zstd compressed."""
    raw, magic = file.read_bytes(), b"\x28\xb5\x2f\xfd"
    found, at = [raw], raw.find(magic)
    while at >= 0:
        stream = pa.input_stream(pa.BufferReader(raw[at:]), compression="zstd")
        with contextlib.suppress(OSError):  # the bytes after the page are not compressed
            while byte := stream.read(1):
                found.append(byte)
        at = raw.find(magic, at + 1)
    return b"".join(found)


def holders(folder: Path, word: str) -> list[str]:
    """Names of the files below a folder that contain a word, also in compressed pages."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return sorted(file.relative_to(folder).as_posix() for file in files if word.encode() in content(file))


def rejected_text(file: str = "out/_emojob/rejects.parquet") -> str:
    """The raw text of the first rejected row."""
    return pq.read_table(file)["raw"][0].as_py()
