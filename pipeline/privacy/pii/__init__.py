"""Finds and masks personal data in Korean texts: phone numbers, addresses, ids, cards, accounts, e-mails and URLs.

All texts of a batch are joined into one array of characters, which NumPy and Polars search. There is no Python loop
over texts.
"""

__all__ = ["masking"]
