"""Options that several commands share: `every_command` for all, `model_options` and `data_options` for some.

`output_files` checks the files that a command is to write.
"""

__all__ = ["data_options", "every_command", "model_options", "output_files"]
