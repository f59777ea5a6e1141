"""Finds texts that meet a rule, such as texts that speak of suicide or self-harm."""

__all__ = ["crisis", "ngrams", "normal_text"]
