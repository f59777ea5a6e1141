"""Protects personal data in the written columns: masks or drops the text, and hashes ids.

`policy` applies the privacy options to rows. `pii/` finds and masks personal data in texts.
"""

__all__ = ["pii", "policy"]
