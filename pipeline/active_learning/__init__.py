"""Chooses the utterances that annotators should label next (active learning).

`selection` chooses utterances with a low margin that differ from each other. The margin of an utterance is its highest
probability minus its second highest probability. `sheet` writes the chosen utterances to a CSV file for annotators.
"""

__all__ = ["selection", "sheet"]
