"""Trains the model that helps the crisis rule to find texts."""

__all__ = ["crisis_ngrams"]
