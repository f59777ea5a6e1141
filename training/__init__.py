"""Models: from annotated texts to a fine-tuned model, its figures, and the default model that ships with the package.

The rooms in order: `data` reads, `evaluation` measures, `finetune` is `emojob train`, `default_model` is `make model`.
A room imports only from rooms before it.
"""

__all__ = ["data", "default_model", "evaluation", "finetune"]
