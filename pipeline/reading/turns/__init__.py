"""Makes rows of the turns of a conversation, and a column of a text inside a column.

- `rows`: turns of conversations
- `nested_text`: a text inside a column
- `json_text`: texts that are JSON
"""

__all__ = ["json_text", "nested_text", "rows"]
