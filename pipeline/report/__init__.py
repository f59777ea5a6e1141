"""The report of a labelled archive: its figures, and an HTML page that shows them as charts and tables.

`figures` computes all figures in DuckDB, `html_page` writes the page, and `words` has the page's texts in English and
Korean.
"""

__all__ = ["figures", "html_page", "words"]
