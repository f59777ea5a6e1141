"""Options that several commands share.

- `every_command`: options of every command
- `model_options`: options of commands that use a model
- `read_options`: options for reading input files
- `conversation_options`: options of figures about conversations
- `data_options`: options of commands that read annotated data
- `input_files`: checks of input files
- `language`: the language of the environment
- `output_files`: checks of output files
"""

__all__ = [
    "conversation_options",
    "data_options",
    "every_command",
    "input_files",
    "language",
    "model_options",
    "output_files",
    "read_options",
]
