"""Finds and masks personal data in Korean texts: phone, ID, card and account numbers, addresses, e-mails and URLs.

All texts of a batch are joined into one array of characters. NumPy and Polars search this array, so there is no Python
loop over texts.
"""

__all__ = ["masking"]
