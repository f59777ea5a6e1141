"""Commands that train or evaluate a model. `make_model` trains the default model."""

__all__ = ["evaluate", "make_model", "train"]
