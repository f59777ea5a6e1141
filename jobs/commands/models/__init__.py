"""Commands that train and evaluate models: train, evaluate, and make_model, which trains the default model."""

__all__ = ["evaluate", "make_model", "train"]
