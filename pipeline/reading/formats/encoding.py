"""Detects or verifies the encoding of a text file (CSV, TSV, JSON lines) by reading the whole file."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import (
    UTF_16,
    Content,
    Digest,
    content_of,
    read_blocks,
    text_blocks,
    utf_16_to_utf_8,
    whole_lines,
)
from emojob.pipeline.reading.formats.sampler import Sampler
from emojob.schemas.errors import DataError, OptionError

_CUT = "the file ends in the middle of a character, so it is probably incomplete; copy it again from its source"
TOLERATED = 0.01  # maximum share of lines that cannot be decoded (such lines are rejected)

_NAMES = {
    "auto": "auto",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "cp949": "cp949",
    "euc-kr": "cp949",  # cp949 is a superset of EUC-KR
    "euckr": "cp949",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    "utf-16le": "utf-16",
    "utf-16be": "utf-16",
}
# Characters that are usual in a text in Korean or English: line ends, ASCII, Latin, punctuation, Hangul, emoji.
_USUAL_TEXT = re.compile(
    "[\t\n\r -~\x01\u00a0-\u00ff\u1100-\u11ff\u2000-\u27bf\u3000-\u303f\u3130-\u318f\uac00-\ud7a3\uff00-\uffef"
    "\U0001f000-\U0001faff]+"
)
_USUAL_SHARE = 0.9
_HAS_ASCII = re.compile("[\t\n\r ,0-9A-Za-z]")
OTHER_MARKS = {
    # UTF-32LE must come before UTF-16LE, because the mark of UTF-32LE begins with the mark of UTF-16LE
    codecs.BOM_UTF32_LE: "UTF-32LE",
    codecs.BOM_UTF32_BE: "UTF-32BE",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@dataclass(frozen=True)
class TextInfo:
    """The result of `inspect`.

    Attributes:
        size: Size of the file in bytes, before decompression.
        sha256: SHA-256 or ETag of the file, as in `Content`.
        encoding: utf-8, utf-8-sig, cp949, utf-16-le or utf-16-be.
        lines: Number of line feeds.
        sample: Parts of the file: first the beginning, then whole lines from other places. No byte order mark. UTF-16
            is converted to UTF-8.
        is_whole: Whether the sample is the whole file.
        unpacked: SHA-256 after decompression; None if the file is not compressed.
        is_cut: Whether the file ends in the middle of a character.
    """

    size: int
    sha256: str
    encoding: str
    lines: int
    sample: tuple[bytes, ...] = ()
    is_whole: bool = True
    unpacked: str | None = None
    is_cut: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages for the user, without the name of the file."""
        return (_CUT,) if self.is_cut else ()


def codec(encoding: str) -> str:
    """Return the name of the Python codec that decodes the result of `text_blocks`."""
    return "utf-8" if encoding == "utf-8-sig" or encoding in UTF_16 else encoding


def inspect(file: InputFile, encoding: str = "auto") -> TextInfo:
    """Read a whole text file and return the size, hash and encoding of the file.

    The encoding is accepted if at most 1% of the lines cannot be decoded.

    Args:
        file: The file.
        encoding: auto (detect the encoding), or utf-8, utf-16, cp949 or a name in `_NAMES` (verify the encoding).

    Raises:
        DataError: The file is empty or damaged, or more than 1% of the lines cannot be decoded.
        OptionError: emojob does not support the encoding.
    """
    wanted = _NAMES.get(encoding.lower().replace("_", "-"))
    if wanted is None:
        raise OptionError(
            f"--encoding {encoding} is not supported; give auto, utf-8, utf-16 or cp949 (which includes euc-kr)"
        )
    unpacked = Digest() if file.compression else None
    digest, check, lines, sampler = Digest(), _DecodeCheck("cp949" if wanted == "cp949" else "utf-8"), 0, Sampler()
    for block in read_blocks(file, digest):
        lines += block.count(b"\n")
        check.feed(block)
        sampler.feed(block)
        if unpacked:
            unpacked.update(block)
    check.finish()
    if not sampler.size:
        raise DataError(
            f"{file.name} is empty (0 bytes); remove the file from the inputs, or copy the file again from its source"
        )
    utf_16 = _utf_16(file, sampler.head, wanted)
    if utf_16:
        of_text = _inspect_utf_16(file, utf_16, content_of(file, digest))
        return replace(of_text, unpacked=unpacked.hexdigest() if unpacked else None)
    marked = _has_utf8_mark(file, sampler.head, wanted)
    chosen = check.encoding
    is_cut = check.is_cut
    if check.fault is not None and not is_cut:
        chosen, is_cut = _best_encoding(file, ["utf-8", "cp949"] if wanted == "auto" and not marked else [chosen])
    content = content_of(file, digest)
    found = "utf-8-sig" if marked else chosen
    sample, of_unpacked = sampler.pieces(3 * marked), unpacked.hexdigest() if unpacked else None
    return TextInfo(content.size, content.sha256, found, lines, sample, sampler.is_whole, of_unpacked, is_cut)


def _utf_16(file: InputFile, head: bytes, wanted: str) -> str | None:
    """Return utf-16-le or utf-16-be if the file is in UTF-16, otherwise None.

    Raises DataError if the file is in UTF-16 but `wanted` is another encoding, or the reverse.
    """
    marked = next((name for mark, name in OTHER_MARKS.items() if head.startswith(mark)), None)
    if marked in UTF_16 and wanted not in ("auto", "utf-16"):
        raise DataError(
            f"{file.name} is not in {wanted}, because it begins with the byte order mark of UTF-16; use --encoding auto"
        )
    if marked:
        return marked if marked in UTF_16 else None
    if wanted not in ("auto", "utf-16") or (wanted == "auto" and b"\x00" not in head):
        return None
    found = utf_16_without_mark(head)
    if found is None and wanted == "utf-16":
        raise DataError(f"{file.name} is not in utf-16; use --encoding auto")
    return found


def utf_16_without_mark(head: bytes) -> str | None:
    """Return utf-16-le or utf-16-be if bytes are a text in UTF-16 without a byte order mark, otherwise None.

    In the right byte order, nearly all characters are ASCII, Hangul, punctuation or emoji. In the other byte order,
    they are rare characters of other scripts.
    """
    for encoding in UTF_16:
        text = head[: len(head) // 2 * 2].decode(encoding, "replace")
        usual = sum(map(len, _USUAL_TEXT.findall(text)))
        if text and usual >= _USUAL_SHARE * len(text) and _HAS_ASCII.search(text):
            return encoding
    return None


def _inspect_utf_16(file: InputFile, encoding: str, content: Content) -> TextInfo:
    """Read a whole file in UTF-16. Raises DataError if too many lines cannot be decoded."""
    sampler, check, lines = Sampler(), _DecodeCheck("utf-8"), 0
    for block in utf_16_to_utf_8(read_blocks(file), encoding):
        sampler.feed(block)
        check.feed(block)
        lines += block.count(b"\n")
    check.finish()
    if check.fault is not None:
        undecodable, every = _undecodable_lines(file, encoding)
        if undecodable > TOLERATED * every:
            raise DataError(
                f"{undecodable:,} of the {every:,} lines of {file.name} are not valid {encoding}; "
                "copy the file again from its source"
            )
    return TextInfo(content.size, content.sha256, encoding, lines, sampler.pieces(0), sampler.is_whole)


def _has_utf8_mark(file: InputFile, head: bytes, wanted: str) -> bool:
    """Return whether the file begins with the byte order mark (BOM) of UTF-8.

    Raises DataError if there is a BOM of UTF-32, or a BOM of UTF-8 although `wanted` is cp949.
    """
    for mark, name in OTHER_MARKS.items():
        if head.startswith(mark):
            raise DataError(
                f"{file.name} begins with the byte order mark of {name}, but emojob does not read {name}; "
                f"convert the file: iconv -f {name} -t UTF-8 OLD_FILE > NEW_FILE"
            )
    marked = head.startswith(codecs.BOM_UTF8)
    if marked and wanted == "cp949":
        raise DataError(
            f"{file.name} is not in cp949, because it begins with the byte order mark of UTF-8; use --encoding auto"
        )
    return marked


def _best_encoding(file: InputFile, candidates: list[str]) -> tuple[str, bool]:
    """Return (the candidate encoding that fails on the fewest lines, whether only the last character is cut).

    Raises DataError if too many lines fail.
    """
    if "cp949" in candidates:
        check = _check(file, "cp949")
        if check.fault is None or check.is_cut:
            return "cp949", check.is_cut
    shares = {}
    for encoding in candidates:
        undecodable, lines = _undecodable_lines(file, encoding)
        shares[encoding] = undecodable / lines
    best = min(candidates, key=shares.__getitem__)
    if shares[best] <= TOLERATED:
        return best, False
    faults = []
    for encoding in candidates:
        offset, byte = _check(file, encoding).fault or (0, 0)
        faults.append(f"{encoding} (byte 0x{byte:02x} at offset {offset:,} is invalid)")
    where = f"the decompressed content of {file.name}" if file.compression else file.name
    if len(candidates) > 1:
        raise DataError(
            f"{where} is in neither {' nor '.join(faults)}; "
            f"convert the file: iconv -f ENCODING -t UTF-8 OLD_FILE > NEW_FILE"
        )
    other = "utf-8" if best == "cp949" else "cp949"
    raise DataError(f"{where} is not in {faults[0]}; try --encoding {other} or --encoding auto")


class _DecodeCheck:
    """Finds the first byte of a file that cannot be decoded.

    Attributes:
        encoding: The encoding to check.
        fault: (byte offset, byte) of the first byte that cannot be decoded; None if all bytes so far can be decoded.
        is_cut: Whether the only fault is that the file ends in the middle of a character. Other characters before it
            are not ASCII and can be decoded.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.fault: tuple[int, int] | None = None
        self.is_cut, self._has_wide = False, False
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._end = 0

    def feed(self, block: bytes, final: bool = False) -> None:
        """Check the next bytes of the file."""
        if self.fault is not None:
            return
        self._end += len(block)
        try:
            self._has_wide |= not self._decoder.decode(block, final).isascii()
        except UnicodeDecodeError as error:  # error.object may begin with bytes of earlier blocks
            self.fault = self._end - len(error.object) + error.start, error.object[error.start]

    def finish(self) -> None:
        """Check that the file does not end in the middle of a character."""
        had_fault = self.fault is not None
        self.feed(b"", final=True)
        self.is_cut = self.fault is not None and not had_fault and self._has_wide


def _check(file: InputFile, encoding: str) -> _DecodeCheck:
    """Return the check of a file, up to the first byte that cannot be decoded."""
    check = _DecodeCheck(encoding)
    for block in read_blocks(file):
        check.feed(block)
        if check.fault is not None:
            return check
    check.finish()
    return check


def _undecodable_lines(file: InputFile, encoding: str) -> tuple[int, int]:
    """Return (number of lines that cannot be decoded, number of all lines)."""
    undecodable = total = 0
    for block, _ in whole_lines(text_blocks(file, encoding) if encoding in UTF_16 else read_blocks(file)):
        lines = block.removesuffix(b"\n").count(b"\n") + 1
        total += lines
        if not decodes(block, codec(encoding)):
            undecodable += sum(not decodes(line, codec(encoding)) for line in block.split(b"\n"))
    return undecodable, total


def decodes(data: bytes, encoding: str) -> bool:
    """Return whether `data` can be decoded in `encoding`."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
