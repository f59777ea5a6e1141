"""Read annotated files, give each text one label, and split the texts into train, validation and test.

All rows are counted, including rows that are left out. Read the modules in this order: `corpus`, `annotated`, `splits`.
"""

__all__ = ["aihub", "annotated", "corpus", "earlier_sheets", "files", "label_map", "published", "splits"]
