"""The bytes of input files: read block by block, decompressed, hashed, and cut into whole lines."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

import pyarrow as pa

from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.storage.object_io import Reader
from emojob.pipeline.storage.paths import open_stream
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

BLOCK = 1 << 20  # bytes read at a time
LONGEST_ROW = 16 << 20  # bytes; a longer row is rejected, so that memory stays bounded
BOMB_BYTES, BOMB_RATIO = 1 << 30, 250  # decompressed bytes, and their ratio to the stored bytes; beyond both: an attack


class Digest:
    """SHA-256 and size of the bytes that were read so far.

    Attributes:
        size: Number of bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes."""
        self.size += len(data)
        self._sha256.update(data)

    def hexdigest(self) -> str:
        """Return the SHA-256 of all bytes so far, hexadecimal."""
        return self._sha256.hexdigest()


@dataclass(frozen=True)
class Content:
    """Size and identity of a file's content.

    Attributes:
        size: Size in bytes.
        sha256: SHA-256 of the bytes; in an object store "etag:" and the etag.
    """

    size: int
    sha256: str


def digest_of(file: InputFile) -> str:
    """Return the SHA-256 of a file's bytes as stored, hexadecimal. Raises DataError."""
    digest = Digest()
    for _ in read_blocks(replace(file, compression=None), digest):
        pass
    return digest.hexdigest()


def content_of(file: InputFile, digest: Digest) -> Content:
    """Return the content of a file.

    Args:
        file: The file. In an object store the etag is used, because it is known without reading.
        digest: Digest of all bytes, used for a local file.
    """
    if file.stored:
        return Content(file.stored.st_size, f"etag:{file.stored.etag}")
    return Content(digest.size, digest.hexdigest())


class _HashingReader(io.RawIOBase):
    """A file whose bytes also go to a digest as they are read."""

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
    """Yield the bytes of a file, decompressed, about BLOCK bytes at a time.

    Args:
        file: The file.
        digest: Gets the bytes as stored.
        offset: Offset of the first byte; only for a file that is not compressed.

    Raises:
        DataError: The file cannot be read, or its compression is damaged or cut off.
    """
    digest, unpacked = digest or Digest(), 0
    with reading_errors(file), open_stream(file.path) as raw:
        raw.seek(offset)
        stored = _HashingReader(raw, digest)
        read = stored.read if file.compression is None else _decompressed(stored, file.compression)
        while block := read(BLOCK):
            unpacked += len(block)
            if unpacked > max(BOMB_BYTES, BOMB_RATIO * digest.size):
                raise DataError(
                    f"{file.name} unpacks to more than {BOMB_RATIO} times its size (over {unpacked >> 30:,} GB), "
                    f"which no dialogue does: check it, and unpack it yourself if its content is right"
                )
            yield block
        while stored.read(BLOCK):  # bytes that the decompressor leaves unread also belong to the hash
            pass


def _decompressed(stored: io.RawIOBase, compression: str) -> Callable[[int], bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), compression)
    # stream.read() leaks the block if the content is damaged
    return lambda size: stream.read_buffer(size).to_pybytes()


@contextmanager
def reading_errors(file: InputFile) -> Iterator[None]:
    """Turn the errors of the system and of the decompressor into DataError."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno:
            raise DataError(f"{file.name} cannot be read: {error.strerror}") from error
        raise DataError(
            f"{file.name} is not a whole {file.compression} file ({first_line(error)}); copy or compress it again"
        ) from error


def text_blocks(file: InputFile, encoding: str, offset: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a text file without its byte order mark.

    Args:
        file: The file.
        encoding: utf-8, utf-8-sig (with a byte order mark) or cp949.
        offset: As in `read_blocks`, counted after the mark.
    """
    mark = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
    if offset:
        yield from read_blocks(file, offset=mark + offset)
        return
    for block in read_blocks(file):
        if len(block) > mark:
            yield block[mark:]
        mark = max(0, mark - len(block))


def whole_lines(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut blocks after line feeds.

    Yields:
        (some whole lines, True), or (the beginning of one line, False) for a line of more than LONGEST_ROW bytes. The
        cuts between the blocks do not change which lines are too long.
    """
    pieces: list[bytes] = []
    pending, dropping = 0, False
    for block in blocks:
        rest = block
        if dropping:
            _, found, rest = block.partition(b"\n")
            dropping = not found
        first = rest.find(b"\n") + 1
        if pending + first > LONGEST_ROW:
            yield b"".join(pieces), False
            pieces, pending, rest = [], 0, rest[first:]
        end = rest.rfind(b"\n") + 1
        if end:
            yield b"".join([*pieces, rest[:end]]), True
            pieces, pending = [], 0
        pieces.append(rest[end:])
        pending += len(rest) - end
        if pending > LONGEST_ROW:
            yield b"".join(pieces), False
            pieces, pending, dropping = [], 0, True
    if pending:
        yield b"".join(pieces), True
