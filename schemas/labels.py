"""Defines the labels of the default model, their emoji and English names, and the names of negative emotions."""

from __future__ import annotations

#: Labels of the default model in id order: neutral, anger, anxiety, sadness, joy, depression.
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

#: Names of negative emotions in the default model and in other models.
NEGATIVE = frozenset({
    "분노", "불안", "슬픔", "우울", "당황", "상처", "공포", "혐오", "짜증", "부정", "걱정", "실망", "외로움",
    "후회", "피로",
    "anger", "anxiety", "sadness", "depression", "fear", "disgust", "annoyance", "disappointment", "disapproval",
    "embarrassment", "grief", "nervousness", "remorse", "worry", "negative",
})  # fmt: skip

#: Negative emotions that need attention. A report lists a conversation if the first label of a speaker is not in
#: NEGATIVE, and the last label of this speaker is in ALARMING.
ALARMING = frozenset({"분노", "우울", "불안", "공포", "anger", "depression", "anxiety", "fear"})
