"""Chooses the utterances that annotators should label next (active learning).

`selection` chooses utterances that differ from each other and have a low margin: the highest probability minus the
second highest. `sheet` writes these utterances to a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
