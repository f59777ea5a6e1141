"""Chooses the utterances that annotators should label next (active learning).

`selection` chooses utterances that differ from each other and have a low margin. The margin is the highest probability
minus the second highest probability. `sheet` writes the chosen utterances to a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
