"""Prints what the commands of the chatbot show: the chat, the progress of drafts and the measures of a bot."""

__all__ = ["chat_screen", "draft_progress"]
