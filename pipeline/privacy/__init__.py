"""Privacy of the written columns: text is masked or dropped, and ids are hashed.

`policy` applies the options to rows. `pii/` finds personal data in texts.
"""

__all__ = ["pii", "policy"]
