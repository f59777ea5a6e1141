"""Options that several commands share.

`every_command` defines options of all commands. `model_options` is for commands that use a model, and `data_options`
for commands that read annotated data. `output_files` checks the output files of a command.
"""

__all__ = ["data_options", "every_command", "model_options", "output_files"]
