"""Annotated data: read files, give each text one label, and split the texts for training, validation and test.

Every row is counted. Rows that are left out are counted by reason. Read the modules in this order: `corpus`,
`annotated`, `splits`.
"""

__all__ = ["annotated", "corpus", "label_map", "published", "splits"]
