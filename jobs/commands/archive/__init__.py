"""Commands that work on a labelled archive, the output OUT of `emojob score`: report, sql, sample and forget."""

__all__ = ["forget", "report", "sample", "sql"]
