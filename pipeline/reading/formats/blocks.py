"""Reads the bytes of input files in blocks. Hashes and decompresses the bytes, and cuts the blocks at line ends."""

from __future__ import annotations

import codecs
import hashlib
import io
import lzma
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.files.zip_files import open_member
from emojob.pipeline.storage.object_io import Reader
from emojob.pipeline.storage.paths import open_stream, path_name, seekable
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

BLOCK = 1 << 20  # bytes per read
LONGEST_ROW = 16 << 20  # maximum bytes of a row; longer rows are rejected to limit memory
UTF_16 = ("utf-16-le", "utf-16-be")
# A compressed file is refused if the decompressed content is larger than BOMB_BYTES, and also larger than BOMB_RATIO
# times the size of the compressed file.
BOMB_BYTES, BOMB_RATIO = 1 << 30, 250


class Digest:
    """Computes the SHA-256 of all added bytes, and counts the bytes.

    Attributes:
        size: Number of bytes added so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes | memoryview) -> None:
        """Add bytes to the hash and to the size."""
        self.size += len(data)
        self._sha256.update(data)

    def hexdigest(self) -> str:
        """Return the SHA-256 of all bytes added so far, as hexadecimal text."""
        return self._sha256.hexdigest()


@dataclass(frozen=True)
class Content:
    """Size and hash of a file.

    Attributes:
        size: Size in bytes.
        sha256: SHA-256 of the stored bytes. For an object in an object store: "etag:" and the ETag of the object.
    """

    size: int
    sha256: str


def digest_of(file: InputFile) -> str:
    """Return the SHA-256 of a file as hexadecimal text. A compressed file is hashed without decompression.

    Raises DataError if the file cannot be read.
    """
    digest = Digest()
    for _ in read_blocks(replace(file, compression=None), digest):
        pass
    return digest.hexdigest()


def content_of(file: InputFile, digest: Digest) -> Content:
    """Return the size and hash of a file.

    Args:
        file: The file. For an object in an object store, the result is the size and ETag in `file.stored`. For a file
            in a ZIP file, it is the size and the hash after unpacking.
        digest: Digest of the bytes of the file, before decompression. Only used for a local file.
    """
    if file.stored and file.member is None:
        return Content(file.stored.st_size, f"etag:{file.stored.etag}")
    return Content(digest.size, digest.hexdigest())


class _HashingReader(io.RawIOBase):
    """Reads a file, and adds all bytes to a digest."""

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
    """Yield the decompressed bytes of a file in blocks of about BLOCK bytes.

    Args:
        file: The file.
        digest: Digest to update with the bytes of the file, before decompression. None: no digest is computed.
        offset: Offset of the first byte to read; must be 0 for a compressed file.

    Raises:
        DataError: The file cannot be read or decompressed, or the decompressed content is too large.
    """
    digest, unpacked = digest or Digest(), 0
    with reading_errors(file), _opened(file) as raw:
        if offset:
            raw.seek(offset)
        stored = _HashingReader(raw, digest)
        read = stored.read if file.compression is None else _decompressed(stored, file.compression)
        while block := read(BLOCK):
            unpacked += len(block)
            if unpacked > max(BOMB_BYTES, BOMB_RATIO * digest.size):
                raise DataError(
                    f"{file.name} unpacks to more than {BOMB_RATIO} times its size (over {unpacked >> 30:,} GB), "
                    f"which is unusual for dialogue. Check the file. If the content is right, decompress the file first"
                )
            yield block
        while stored.read(BLOCK):  # also hash the bytes that the decompressor has not read
            pass


@contextmanager
def _opened(file: InputFile) -> Iterator[BinaryIO | Reader]:
    """Open the stored bytes of a file, or the unpacked bytes of a file in a ZIP file."""
    if file.member is None:
        with open_stream(file.path) as raw:
            yield raw
        return
    with open_member(file.path, path_name(file.path), file.member) as (stream, _):
        yield stream


@contextmanager
def random_access(file: InputFile) -> Iterator[Path | Reader | BinaryIO]:
    """Open a file for reading from any place. A compressed file, or a file in a ZIP file, is unpacked first.

    The unpacked file is a temporary file without a name, which ends with the process.

    Raises:
        DataError: The file cannot be read or decompressed, or the decompressed content is too large.
    """
    if file.member is None and file.compression is None:
        yield seekable(file.path)
        return
    with tempfile.TemporaryFile() as unpacked:
        for block in read_blocks(file):
            unpacked.write(block)
        unpacked.seek(0)
        yield cast(BinaryIO, unpacked)


def _decompressed(stored: io.RawIOBase, compression: str) -> Callable[[int], bytes]:
    if compression == "xz":
        return lzma.LZMAFile(cast(BinaryIO, stored)).read
    stream = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), compression)
    # stream.read() would leak memory if the content is damaged
    return lambda size: stream.read_buffer(size).to_pybytes()


@contextmanager
def reading_errors(file: InputFile) -> Iterator[None]:
    """Turn errors of the operating system and of the decompressor into DataError."""
    try:
        yield
    except (OSError, EOFError, lzma.LZMAError, pa.ArrowException) as error:
        if "requires too much memory" in str(error) or "Frame requires" in str(error):
            quoted, new = shlex.quote(file.name), shlex.quote(str(Path(file.name).with_name(f"again.{file.path.name}")))
            raise DataError(
                f"{file.name} was compressed by zstd with a window of more than 128 MB (--long), and would need as "
                f"much memory; compress the file again: zstd -d --long=31 --stdout {quoted} | zstd -o {new}"
            ) from error
        if isinstance(error, OSError) and error.errno:
            raise DataError(
                f"{file.name} cannot be read: {error.strerror}; check the path and your read permission, then run the "
                f"command again"
            ) from error
        raise DataError(
            f"{file.name} is not a complete {file.compression or 'ZIP'} file ({first_line(error)}); "
            f"copy the file again from its source"
        ) from error


def has_offsets(file: InputFile, encoding: str | None) -> bool:
    """Return whether `text_blocks` can begin in the middle of a file."""
    return not file.compression and encoding not in UTF_16


def text_blocks(file: InputFile, encoding: str, offset: int = 0) -> Iterator[bytes]:
    """Yield the decompressed bytes of a text file. A byte order mark is skipped. UTF-16 becomes UTF-8.

    Args:
        file: The file.
        encoding: utf-8, utf-8-sig (with a byte order mark), cp949, utf-16-le or utf-16-be.
        offset: Offset of the first byte to read, counted after the byte order mark; must be 0 if the file has no
            offsets (see `has_offsets`).
    """
    if encoding in UTF_16:
        yield from utf_16_to_utf_8(read_blocks(file), encoding)
        return
    mark = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
    if offset:
        yield from read_blocks(file, offset=mark + offset)
        return
    for block in read_blocks(file):
        if len(block) > mark:
            yield block[mark:]
        mark = max(0, mark - len(block))


def utf_16_to_utf_8(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Convert UTF-16 to UTF-8. A byte order mark is skipped. What cannot be decoded is not valid UTF-8 either.

    Args:
        blocks: Blocks of any size.
        encoding: utf-16-le or utf-16-be.
    """
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    is_first = True
    for block in blocks:
        text = decoder.decode(block)
        if text:
            yield (text.removeprefix("\ufeff") if is_first else text).encode("utf-8", "surrogatepass")
            is_first = False
    if decoder.getstate()[0]:  # the file ends in the middle of a character
        yield b"\xff"


def whole_lines(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Join and cut blocks of bytes, so that each new block contains only whole lines.

    Yields:
        (whole lines, True), or (beginning of a line, False) if the line has more than LONGEST_ROW bytes.
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
