"""Commands on a labelled archive, the OUT of `emojob score`: report, sql, sample and forget."""

__all__ = ["forget", "report", "sample", "sql"]
