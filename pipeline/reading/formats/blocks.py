"""The bytes of input files: read block by block, decompressed, hashed, and cut into whole lines."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.storage.object_io import Reader
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

BLOCK = 1 << 20  # bytes read at a time
LONGEST_ROW = 16 << 20  # bytes; a longer row is rejected, so that memory stays bounded
BOMB_BYTES, BOMB_RATIO = 1 << 30, 250  # unpacked bytes, and times the stored bytes; beyond both it is an attack


class Digest:
    """SHA-256 and size, in bytes, of what was read."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self.size += len(data)
        self._sha256.update(data)

    def hexdigest(self) -> str:
        """Of all bytes so far."""
        return self._sha256.hexdigest()


@dataclass(frozen=True)
class Content:
    """What tells a file's content from another. size: bytes; sha256: of them, or what a store calls this content."""

    size: int
    sha256: str


def digest_of(file: InputFile) -> str:
    """SHA-256 of a file's bytes as stored, hexadecimal. Raises DataError."""
    digest = Digest()
    for _ in read_blocks(replace(file, compression=None), digest):
        pass
    return digest.hexdigest()


def content_of(file: InputFile, digest: Digest) -> Content:
    """digest: of all bytes; what a store tells is taken instead, for it is the same whether they are read or not."""
    if file.stored:
        return Content(file.stored.st_size, f"etag:{file.stored.etag}")
    return Content(digest.size, digest.hexdigest())


class _Overheard(io.RawIOBase):
    """A file whose bytes, as they are read, also go to a digest."""

    def __init__(self, raw: BinaryIO | Reader, digest: Digest) -> None:
        self._raw, self._digest = raw, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._digest.update(data)
        return len(data)


def read_blocks(file: InputFile, digest: Digest | None = None, offset: int = 0) -> Iterator[bytes]:
    """The bytes of a file, decompressed, some BLOCK at a time; `digest` gets them as stored.

    offset: of the first byte, only where the file is not compressed.

    Raises DataError where the file cannot be read or its compression is damaged or cut off.
    """
    digest, unpacked = digest or Digest(), 0
    with readable(file), _stream(file) as raw:
        raw.seek(offset)
        stored = _Overheard(raw, digest)
        read = stored.read if file.compression is None else _decompressed(stored, file.compression)
        while block := read(BLOCK):
            unpacked += len(block)
            if unpacked > max(BOMB_BYTES, BOMB_RATIO * digest.size):
                raise DataError(
                    f"{file.name} unpacks to more than {BOMB_RATIO} times its size (over {unpacked >> 30:,} GB), "
                    f"which no dialogue does: look at it, and unpack it yourself where it is what it should be"
                )
            yield block
        while stored.read(BLOCK):  # what a decompressor left behind the end still belongs to the hash
            pass


def _stream(file: InputFile) -> BinaryIO | Reader:
    return file.path.open("rb") if isinstance(file.path, Path) else file.path.open()


def _decompressed(stored: io.RawIOBase, compression: str) -> Callable[[int], bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), compression)
    # its read() never frees the block that it could not fill, because the content is damaged
    return lambda size: stream.read_buffer(size).to_pybytes()


@contextmanager
def readable(file: InputFile) -> Iterator[None]:
    """Turn what the system and the decompressor raise while reading into DataError."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno:
            raise DataError(f"{file.name} cannot be read: {error.strerror}") from error
        raise DataError(
            f"{file.name} is not a whole {file.compression} file ({first_line(error)}); copy or compress it anew"
        ) from error


def text_blocks(file: InputFile, encoding: str, offset: int = 0) -> Iterator[bytes]:
    """The bytes of a text file behind its byte order mark. offset: as in `read_blocks`, counted behind the mark."""
    mark = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
    if offset:
        yield from read_blocks(file, offset=mark + offset)
        return
    for block in read_blocks(file):
        if len(block) > mark:
            yield block[mark:]
        mark = max(0, mark - len(block))


def whole_lines(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut blocks behind line feeds: (some lines, True).

    A line of more than LONGEST_ROW bytes comes alone, as (its beginning, False), however the blocks are cut.
    """
    pieces: list[bytes] = []
    held, dropping = 0, False
    for block in blocks:
        rest = block
        if dropping:
            _, found, rest = block.partition(b"\n")
            dropping = not found
        first = rest.find(b"\n") + 1
        if held + first > LONGEST_ROW:
            yield b"".join(pieces), False
            pieces, held, rest = [], 0, rest[first:]
        end = rest.rfind(b"\n") + 1
        if end:
            yield b"".join([*pieces, rest[:end]]), True
            pieces, held = [], 0
        pieces.append(rest[end:])
        held += len(rest) - end
        if held > LONGEST_ROW:
            yield b"".join(pieces), False
            pieces, held, dropping = [], 0, True
    if held:
        yield b"".join(pieces), True
