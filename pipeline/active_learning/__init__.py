"""Chooses the utterances that annotators should label next (active learning).

The chosen utterances differ from each other, and the margin between their two highest probabilities is low. `selection`
chooses the utterances from a labelled archive, and `sheet` writes them as a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
