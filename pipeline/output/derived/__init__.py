"""Keeps track of the files that were made from the rows of an archive, so that `emojob forget` can remove them.

A derived file is a memo file, a report, a file with figures, an export or an annotation sheet.

- `marks`: the mark of the archive inside a derived file
- `records`: the list of derived files in OUT
- `places`: where derived files are, and which of them may be touched
- `replacing`: decides whether a command may write a file at a path that the user chose
- `writing`: writes a derived file, unless rows have left the archive since they were read
- `taking`: removes the derived files that may show rows that have left the archive
- `forgotten_inputs`: hides the names of inputs of which no row is left
- `input_names`: changes the names of inputs
"""

__all__ = ["forgotten_inputs", "input_names", "marks", "places", "records", "replacing", "taking", "writing"]
