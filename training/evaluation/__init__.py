"""The quality of a model: predictions on labelled texts, figures, calibration, comparison of two models, pages.

`evaluate` is `emojob evaluate`; `metrics` computes the figures; `page` writes the HTML page with charts.
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
