"""Emotions: the six of the default model, and how a label is shown."""

from __future__ import annotations

#: The default model's labels, in id order: neutral, anger, anxiety, sadness, joy, depression.
DEFAULT_LABELS = ("일상", "분노", "불안", "슬픔", "기쁨", "우울")

EMOJI = {"일상": "😀", "분노": "😡", "불안": "😧", "슬픔": "😭", "기쁨": "😊", "우울": "😥"}

ENGLISH = {
    "일상": "neutral",
    "분노": "anger",
    "불안": "anxiety",
    "슬픔": "sadness",
    "기쁨": "joy",
    "우울": "depression",
}
