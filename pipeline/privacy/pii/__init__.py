"""Finds and masks personal data in Korean texts, such as phone numbers, ID numbers and addresses.

All texts of a batch are joined into one array of characters. NumPy and Polars search this array without a Python loop.
"""

__all__ = ["masking"]
