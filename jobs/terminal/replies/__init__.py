"""Prints what the commands of the chatbot show: the chat, the progress of drafts and the measures of a bot."""

__all__ = ["bot_tables", "chat_screen", "draft_progress"]
