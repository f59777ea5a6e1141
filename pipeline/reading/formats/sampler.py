"""Collects a sample of a file while the file is read once: the beginning, the end, and lines from between."""

from __future__ import annotations

HEAD = 64 << 10  # bytes of the beginning
PIECE = 8 << 10  # bytes of each other piece
# A piece begins at each of these offsets. The distances double, so that a file of any size has few pieces.
_OFFSETS = [1 << bits for bits in range(17, 44)]


class Sampler:
    """Collects a sample from the blocks of a file. The sample hardly depends on the size of the blocks.

    Attributes:
        head: The first HEAD bytes.
        size: Number of bytes so far.
    """

    def __init__(self) -> None:
        self.head = b""
        self.size = 0
        self._tail = b""
        self._pieces: dict[int, bytes] = {}  # {offset: bytes from this offset}
        self._next = 0  # index in _OFFSETS
        self._has_quote = False

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        start, self.size = self.size, self.size + len(block)
        if len(self.head) < HEAD:
            self.head += block[: HEAD - len(self.head)]
        self._tail = block[-PIECE:] if len(block) >= PIECE else (self._tail + block)[-PIECE:]
        for offset, piece in self._pieces.items():
            if len(piece) < PIECE and offset + len(piece) == start:
                self._pieces[offset] = piece + block[: PIECE - len(piece)]
        while self._next < len(_OFFSETS) and _OFFSETS[self._next] < self.size:
            self._begin(_OFFSETS[self._next], start, block)
            self._next += 1
        if not self._has_quote:
            quote = min((at for at in map(block.find, (b'"', b"'")) if at >= 0), default=-1)
            if quote >= 0:
                self._has_quote = True
                self._begin(start + max(block.rfind(b"\n", 0, quote), 0), start, block)

    def _begin(self, offset: int, start: int, block: bytes) -> None:
        if offset >= HEAD:
            self._pieces[offset] = block[offset - start : offset - start + PIECE]

    @property
    def is_whole(self) -> bool:
        """Whether the sample is the whole file."""
        return self.size <= HEAD

    def pieces(self, mark: int) -> tuple[bytes, ...]:
        """Return the beginning without the first `mark` bytes, then whole lines from other places."""
        if self.is_whole:
            return (self.head[mark:],)
        others = {**self._pieces, max(HEAD, self.size - len(self._tail)): self._tail[-(self.size - HEAD) :]}
        return tuple(map(_whole_lines, [b"\n" + self.head[mark:], *(others[offset] for offset in sorted(others))]))


def _whole_lines(piece: bytes) -> bytes:
    """Return the whole lines in a part of a file."""
    end = b"\n" if b"\n" in piece else b"\r"
    first, last = piece.find(end), piece.rfind(end)
    return piece[first + 1 : last + 1]
