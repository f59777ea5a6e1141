"""Protects personal data in the output: masks or drops the text column, and hashes ID columns.

`policy` applies the privacy options to rows. `pii/` finds and masks personal data in texts.
"""

__all__ = ["pii", "policy"]
