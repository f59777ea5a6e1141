"""Makes rows of the turns of a conversation (`rows`), and a column of a text inside a column (`nested_text`)."""

__all__ = ["nested_text", "rows"]
