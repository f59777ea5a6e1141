"""Chooses the utterances that annotators should label next (active learning).

`selection` chooses utterances that differ from each other and for which the model is uncertain. `random_sample` draws
rows to measure a model on, and `sheet` writes a CSV file for annotators.
"""

__all__ = ["random_sample", "selection", "sheet"]
