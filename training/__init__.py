"""Reads annotated texts, fine-tunes and measures models, and makes the default model of the package.

The subpackages are `data` (reads annotated files), `evaluation` (measures models), `finetune` (`emojob train`),
`replies` (`emojob train-replies`), `rules` (the crisis rule) and `default_model` (`make model`). A subpackage imports
only from subpackages earlier in this list.
"""

__all__ = ["data", "default_model", "evaluation", "finetune", "replies", "rules"]
