"""One self-contained HTML page: its frame, style and scripts."""
