"""Reports of a labelled archive: the figures, and the page that shows them with charts and tables.

`figures` computes everything once in DuckDB, `html_page` writes the page, and `words` holds the texts in English and
Korean.
"""

__all__ = ["figures", "html_page", "words"]
