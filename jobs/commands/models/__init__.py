"""Commands that train, evaluate or convert a model. `make_model` trains the default model."""

__all__ = ["convert", "evaluate", "make_model", "train"]
