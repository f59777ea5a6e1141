"""Makes a report about a labelled archive: an HTML page with charts and tables.

`figures` computes the figures with DuckDB, and `html_page` writes the page. `words` contains the texts of the page in
English and Korean; `tables` makes the tables, and `notes` writes which utterances count and what emojob does not know.
"""

__all__ = ["figures", "html_page", "notes", "tables", "words"]
