"""Active learning: choose the utterances that annotators should label next.

Chosen utterances have a low margin between their two highest probabilities, and differ from each other. `selection`
chooses them from a labelled archive, and `sheet` writes them as a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
