"""Keeps track of the files that were made from the rows of an archive, so that `emojob forget` can remove them.

A derived file is a memo file, a report, a file with figures, an export, an annotation sheet or a file
with reply drafts. A bot that learned from the rows is a derived folder.

- `marks`: the mark of the archive inside a derived file
- `records`: the list of derived files in OUT
- `places`: where derived files are, and which of them may be touched
- `replacing`: decides whether a command may write a file at a path that the user chose
- `writing`: writes a derived file, unless rows have left the archive since they were read
- `taking`: removes the derived files that may show rows that have left the archive
- `bots`: the folders of bots that learned from the rows
- `work_folders`: hidden folders with the finished parts of a derived file that is not complete yet
- `forgotten_inputs`: hides the names of inputs of which no row is left
- `input_names`: changes the names of inputs
"""

__all__ = [
    "bots", "forgotten_inputs", "input_names", "marks", "places", "records", "replacing", "taking",
    "work_folders", "writing",
]  # fmt: skip
