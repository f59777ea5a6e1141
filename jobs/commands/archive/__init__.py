"""Commands that read or change a labelled archive, the output of `emojob score`: report, sql, sample and forget."""

__all__ = ["forget", "report", "sample", "sql"]
