"""The bytes of text files (CSV, TSV, JSON lines): decompressed block by block, and the encoding they are in."""

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
from emojob.schemas.errors import DataError, OptionError

BLOCK = 1 << 20  # bytes read at a time
LONGEST_ROW = 16 << 20  # bytes; a longer row is rejected, so that memory stays bounded
BOMB_BYTES, BOMB_RATIO = 1 << 30, 250  # unpacked, and times the bytes as stored; beyond both it is an attack
TOLERATED = 0.01  # share of lines that may not decode; such rows are rejected one by one

_NAMES = {
    "auto": "auto",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "cp949": "cp949",
    "euc-kr": "cp949",  # cp949 contains it
    "euckr": "cp949",
}
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32LE",  # before UTF-16LE, whose mark it begins with
    codecs.BOM_UTF32_BE: "UTF-32BE",
    codecs.BOM_UTF16_LE: "UTF-16LE",
    codecs.BOM_UTF16_BE: "UTF-16BE",
}


@dataclass(frozen=True)
class TextInfo:
    """What one reading of a whole text file tells.

    size: bytes as stored; sha256: as that of `Content`; encoding: utf-8, utf-8-sig or cp949; lines: line feeds.
    """

    size: int
    sha256: str
    encoding: str
    lines: int


def codec(encoding: str) -> str:
    """The codec for text without its byte order mark."""
    return "utf-8" if encoding == "utf-8-sig" else encoding


def inspect(file: InputFile, encoding: str = "auto") -> TextInfo:
    """Read a text file to its end: its size, its hash, and its encoding where `encoding` is auto.

    A given encoding is verified. Up to 1% of the lines may be undecodable. Raises DataError where the file is
    empty, damaged or in another encoding, OptionError where `encoding` is not one that emojob reads.
    """
    wanted = _NAMES.get(encoding.lower().replace("_", "-"))
    if wanted is None:
        raise OptionError(f"--encoding {encoding} is not known; give auto, utf-8 or cp949 (which covers euc-kr)")
    digest, check, head, total, lines = Digest(), _Strict("cp949" if wanted == "cp949" else "utf-8"), b"", 0, 0
    for block in read_blocks(file, digest):
        head = head if len(head) >= 4 else head + block[:4]
        total += len(block)
        lines += block.count(b"\n")
        check.feed(block)
    check.finish()
    if not total:
        raise DataError(f"{file.name} is empty (0 bytes); leave it out, or write at least a header to it")
    marked = _marked(file, head, wanted)
    chosen = check.encoding
    if check.fault is not None:
        chosen = _among(file, ["utf-8", "cp949"] if wanted == "auto" and not marked else [chosen])
    content = content_of(file, digest)
    return TextInfo(content.size, content.sha256, "utf-8-sig" if marked else chosen, lines)


def _marked(file: InputFile, head: bytes, wanted: str) -> bool:
    """Whether the file begins with UTF-8's byte order mark."""
    for mark, name in _FOREIGN_MARKS.items():
        if head.startswith(mark):
            raise DataError(
                f"{file.name} is in {name} by its byte order mark; convert it: iconv -f {name} -t UTF-8 IN > OUT"
            )
    marked = head.startswith(codecs.BOM_UTF8)
    if marked and wanted == "cp949":
        raise DataError(f"{file.name} is not in cp949: it begins with UTF-8's byte order mark; use --encoding auto")
    return marked


def _among(file: InputFile, candidates: list[str]) -> str:
    """The encoding of a file that is not utf-8 (or not what the user gave) throughout."""
    if len(candidates) > 1 and _fault(file, "cp949") is None:
        return "cp949"
    shares = {}
    for encoding in candidates:
        undecodable, lines = _undecodable_lines(file, encoding)
        shares[encoding] = undecodable / lines
    best = min(candidates, key=shares.__getitem__)
    if shares[best] <= TOLERATED:
        return best
    faults = []
    for encoding in candidates:
        offset, byte = _fault(file, encoding) or (0, 0)
        faults.append(f"{encoding} (byte 0x{byte:02x} at offset {offset:,} is not)")
    where = f"{file.name}, decompressed," if file.compression else file.name
    if len(candidates) > 1:
        raise DataError(f"{where} is in neither {' nor '.join(faults)}; convert it: iconv -f ENCODING -t UTF-8")
    other = "utf-8" if best == "cp949" else "cp949"
    raise DataError(f"{where} is not in {faults[0]}; try --encoding {other} or --encoding auto")


class _Strict:
    """Finds the first byte that does not decode. fault: (offset in bytes, the byte), or None."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.fault: tuple[int, int] | None = None
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._end = 0

    def feed(self, block: bytes, final: bool = False) -> None:
        """Look at the next bytes of the file."""
        if self.fault is not None:
            return
        self._end += len(block)
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError as error:  # its object begins with bytes held over from before
            self.fault = self._end - len(error.object) + error.start, error.object[error.start]

    def finish(self) -> None:
        """The file ends here."""
        self.feed(b"", final=True)


def _fault(file: InputFile, encoding: str) -> tuple[int, int] | None:
    check = _Strict(encoding)
    for block in read_blocks(file):
        check.feed(block)
        if check.fault is not None:
            return check.fault
    check.finish()
    return check.fault


def _undecodable_lines(file: InputFile, encoding: str) -> tuple[int, int]:
    """(lines that do not decode, all lines)."""
    undecodable = total = 0
    for block, _ in whole_lines(read_blocks(file)):
        lines = block.removesuffix(b"\n").count(b"\n") + 1
        total += lines
        if not decodes(block, encoding):
            undecodable += sum(not decodes(line, encoding) for line in block.split(b"\n"))
    return undecodable, total


def decodes(data: bytes, encoding: str) -> bool:
    """Whether all of `data` is text in `encoding`."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


# -- bytes ---------------------------------------------------------------------------------------------------------


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
        return Content(file.stored.st_size, f"etag:{file.stored.tag}")
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


def first_line(error: BaseException) -> str:
    """The first line of an error's words, or its kind where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
