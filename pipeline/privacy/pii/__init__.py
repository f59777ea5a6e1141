"""Find and mask personal data in Korean texts: phone numbers, addresses, ids, cards, accounts, e-mail and URLs.

All texts of a batch are searched together, as arrays of characters and with Polars, without a Python loop over texts.
"""

__all__ = ["masking"]
