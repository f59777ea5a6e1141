"""Yields the lines of a text file in groups, and tells which lines cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import text_blocks, whole_lines
from emojob.pipeline.reading.formats.encoding import codec

#: Reason for rejecting a message that is longer than LONGEST_ROW.
TOO_LONG = "message too long"

_KEPT = 1 << 16  # bytes of a line that is too long


@dataclass
class Lines:
    """Consecutive lines of a file.

    Attributes:
        texts: The lines, without line ends.
        faults: {index of a line: why the line cannot be read}.
    """

    texts: list[str]
    faults: dict[int, str]

    def extend(self, other: Lines) -> None:
        """Append lines."""
        first = len(self.texts)
        self.texts += other.texts
        self.faults |= {first + i: reason for i, reason in other.faults.items()}

    def cut(self, at: int) -> tuple[Lines, Lines]:
        """Return (the first `at` lines, the other lines)."""
        before = {i: reason for i, reason in self.faults.items() if i < at}
        after = {i - at: reason for i, reason in self.faults.items() if i >= at}
        return Lines(self.texts[:at], before), Lines(self.texts[at:], after)


def read_lines(file: InputFile, encoding: str) -> Iterator[Lines]:
    """Yield the lines of a file, about a megabyte at a time.

    A line that cannot be decoded has replacement characters. A line that is too long is cut.
    """
    for block, whole in whole_lines(text_blocks(file, encoding)):
        if whole:
            yield _decoded(block, codec(encoding))
        else:
            yield Lines([block[:_KEPT].decode(codec(encoding), "replace").rstrip("\r\n")], {0: TOO_LONG})


def _decoded(block: bytes, name: str) -> Lines:
    block = block.removesuffix(b"\n")
    faults: dict[int, str] = {}
    try:
        texts = block.decode(name).split("\n")
    except UnicodeDecodeError:
        texts = []
        for line in block.split(b"\n"):
            text = line.decode(name, "replace")
            if "\ufffd" in text and line != text.encode(name, "replace"):
                faults[len(texts)] = f"not valid {name}"
            texts.append(text)
    return Lines([text.removesuffix("\r") for text in texts], faults)
