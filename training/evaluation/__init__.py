"""Measures models on labelled texts: predictions, metrics, calibration, comparison of two models, and the HTML page.

`evaluate` implements `emojob evaluate`, `metrics` and `intervals` compute the metrics and their confidence intervals,
`label_order` checks the order of labels, and `page` writes the HTML page with charts.
"""

__all__ = [
    "calibration",
    "comparison",
    "curves",
    "evaluate",
    "intervals",
    "label_set_metrics",
    "label_order",
    "metrics",
    "page",
    "predict",
    "seen_texts",
    "words",
]
