"""Options that several commands share.

`every_command` is for all commands; `model_options` and `data_options` are for commands with a model or annotated data.
`output_files` checks the output files of a command.
"""

__all__ = ["data_options", "every_command", "model_options", "output_files"]
