"""Annotated data: files become a corpus of texts with labels, label maps give each text one label, splits divide them.

Every row is counted: it is kept, or it has a reason why not. Start with `corpus`, then `annotated`, then `splits`.
"""

__all__ = ["annotated", "corpus", "label_map", "published", "splits"]
