"""Chooses the utterances that annotators should label next (active learning).

`selection` chooses utterances that differ from each other and for which the model is uncertain. `sheet` writes the
chosen utterances to a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
