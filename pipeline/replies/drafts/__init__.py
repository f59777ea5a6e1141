"""Drafts replies for the conversations of a labelled archive, and writes them to a CSV, XLSX or Parquet file."""

__all__ = ["choosing", "draft_file", "job", "mining", "notes"]
