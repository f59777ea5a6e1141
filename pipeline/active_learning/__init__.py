"""Chooses the utterances that annotators should label next (active learning).

The chosen utterances differ from each other, and their margin is low. The margin of an utterance is the difference
between its two highest probabilities. `selection` chooses the utterances from a labelled archive. `sheet` writes the
utterances to a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
