"""Keeps the keys and values of attention for the sequences that are being written.

Each sequence has a slot. The keys of the token at position p are at index p of the slot, so no sequence is padded on
the left. The slots in use are always the first ones: the slot of a finished sequence is filled with the last sequence.
Memory is allocated once. Attention reads whole slots, and masks the positions that are not in use: on a CPU, reading a
contiguous block is more than twice as fast as leaving out the end of each slot.
"""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValueCache:
    """Keys and values of attention, preallocated.

    Attributes:
        slots: Number of slots.
        length: Largest number of tokens of a sequence.
    """

    def __init__(
        self, layers: int, slots: int, heads: int, length: int, size: int, device: torch.device | str = "cpu"
    ) -> None:
        self.slots, self.length, self._heads, self._size = slots, length, heads, size
        # zeros, because a masked position must not be NaN
        self._keys, self._values = (torch.zeros(layers, slots, heads, length, size, device=device) for _ in range(2))

    def write_prompts(self, layer: int, first: int, keys: Tensor, values: Tensor) -> None:
        """Keep the keys and values of whole prompts in the slots from `first`.

        Args:
            layer: Number of the layer.
            first: Slot of the first prompt.
            keys: [rows, heads, tokens, size]; those of padding at the end are overwritten later.
            values: The same shape.
        """
        rows, _, tokens, _ = keys.shape
        self._keys[layer, first : first + rows, :, :tokens] = keys
        self._values[layer, first : first + rows, :, :tokens] = values

    def places(self, positions: Tensor) -> Tensor:
        """Return where `write_tokens` writes the tokens at `positions` of the first slots: int64 [rows * heads]."""
        starts = torch.arange(len(positions) * self._heads, device=positions.device).view(-1, self._heads) * self.length
        return (starts + positions[:, None]).view(-1)

    def write_tokens(self, layer: int, places: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the keys and values of one token for each of the first slots, and return those of these slots.

        Args:
            layer: Number of the layer.
            places: Result of the function `places`.
            keys: [rows * heads, size].
            values: The same shape.

        Returns:
            (keys, values), views of the shape [rows * heads, length, size].
        """
        slabs = []
        for kept, new in ((self._keys[layer], keys), (self._values[layer], values)):
            kept.view(-1, self._size).index_copy_(0, places, new)
            slabs.append(kept.view(-1, self.length, self._size)[: len(places)])
        return slabs[0], slabs[1]

    def move(self, source: int, target: int) -> None:
        """Copy the keys and values of one slot into another slot."""
        for kept in (self._keys, self._values):
            kept[:, target] = kept[:, source]
