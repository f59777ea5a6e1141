"""One self-contained HTML page: its frame, style and scripts. Report and evaluation pages are built on it."""

__all__ = ["page"]
