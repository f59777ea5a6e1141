"""Commands that make and measure models: train, evaluate, and make_model, which makes the default model."""

__all__ = ["evaluate", "make_model", "train"]
