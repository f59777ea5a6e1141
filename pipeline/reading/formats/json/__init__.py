"""Readers of JSON: `lines` reads one object on each line, `document` reads arrays and objects of any size."""

__all__ = ["document", "lines", "types"]
