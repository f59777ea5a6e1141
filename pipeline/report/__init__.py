"""Makes a report about a labelled archive: an HTML page with charts and tables.

`figures` computes the figures with DuckDB, `html_page` makes the page, and `report_files` writes both. `words` contains
the texts of the page in English and Korean; `tables` makes the tables, `group_sizes` returns the sizes of groups, and
`notes` writes which utterances count and what emojob does not know.
"""

__all__ = ["figures", "group_sizes", "grouping", "html_page", "notes", "report_files", "tables", "words"]
