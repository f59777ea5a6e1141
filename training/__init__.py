"""Training: read annotated texts, fine-tune and measure models, and make the default model of the package.

The subpackages are `data` (reads annotated files), `evaluation` (measures models), `finetune` (`emojob train`) and
`default_model` (`make model`). Each one imports only from the subpackages named before it.
"""

__all__ = ["data", "default_model", "evaluation", "finetune"]
