"""Checks a user's SQL query, converts the types of its result, and explains why a query fails."""

__all__ = ["column_types", "comparisons", "condition", "errors", "nested_texts", "statements", "syntax_tree", "values"]
