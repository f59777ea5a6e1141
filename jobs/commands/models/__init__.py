"""Commands that make and measure models: train, evaluate, and make_model for the model in the package."""

__all__ = ["evaluate", "make_model", "train"]
