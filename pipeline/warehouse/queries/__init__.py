"""Checks a user's SQL query, converts the types of its result, and explains why a query fails."""

__all__ = ["column_types", "condition", "errors", "nested_texts", "statements", "values"]
