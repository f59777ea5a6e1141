"""Measures models on labelled texts: predictions, metrics, calibration, comparison of two models, and the HTML page.

`evaluate` implements `emojob evaluate`, `metrics` computes the metrics, and `page` writes the HTML page with charts.
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
