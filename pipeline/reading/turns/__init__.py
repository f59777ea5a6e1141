"""Makes rows of the turns of a conversation, and a column of a text inside a column.

- `rows`: turns of conversations
- `nested_text`: a text inside a column
"""

__all__ = ["nested_text", "rows"]
