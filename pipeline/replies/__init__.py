"""Drafts replies to utterances: the bot behind `emojob reply` and `emojob chat`.

The subpackages are `answers` (chooses an answer of an answer book), `writing` (writes an answer with a GPT-2 model) and
`drafts` (drafts replies for the conversations of a labelled archive).
"""

__all__ = [
    "answers",
    "bot",
    "bot_folder",
    "chat",
    "checks",
    "configuration",
    "drafts",
    "requests",
    "way_folders",
    "words",
    "writing",
]
