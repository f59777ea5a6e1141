"""Active learning: choose the utterances to annotate next, those with the lowest margins and far from each other.

`selection` chooses them from a labelled archive, and `sheet` writes them as a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
