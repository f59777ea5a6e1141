"""DuckDB over the labelled archive: views, queries, exports, forgetting."""
