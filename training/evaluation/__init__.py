"""How good a model is: predictions on labelled texts, metrics, calibration, comparison, pages.

`evaluate.py` does the whole of `emojob evaluate`.
"""

__all__ = [
    "calibration",
    "comparison",
    "curves",
    "evaluate",
    "metrics",
    "page",
    "predict",
]
