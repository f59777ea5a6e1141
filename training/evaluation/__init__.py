"""How good a model is: metrics, comparison, calibration, pages."""
