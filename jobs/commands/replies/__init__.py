"""The commands of the chatbot: `emojob train-replies`, `emojob reply` and `emojob chat`."""

__all__ = ["chat", "reply", "train_replies"]
