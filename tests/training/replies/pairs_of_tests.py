"""Pairs, a base model and a recipe for the tests of GPT-2 training."""

from __future__ import annotations

from pathlib import Path

from emojob.training.replies.gpt2.trainer import Gpt2Recipe
from tests.pipeline.replies.writing.tiny_gpt2 import write_tiny_gpt2

SUBJECTS = ("배송", "환불", "산책", "날씨", "주문", "도착")
FEELINGS = {
    "분노": ("너무 답답해요", "많이 기다리셨지요. 확인해서 알려 드릴게요."),
    "기쁨": ("기분이 좋아요", "저도 기뻐요."),
    "일상": ("언제쯤 도착하나요?", "오늘 안에 확인해서 알려 드릴게요."),
}

TRIPLES = [
    (f"{when} {subject} {question}", emotion, f"{subject} {answer}")
    for when in ("오늘은", "어제")
    for subject in SUBJECTS
    for emotion, (question, answer) in FEELINGS.items()
]
TRAIN, VALIDATION = TRIPLES[6:], TRIPLES[:6]

RECIPE = Gpt2Recipe(epochs=3, batch=6, learning_rate=3e-3, max_length=64, row_tokens=128, patience=0)


def write_base(folder: Path) -> str:
    """Write a small random model with dropout, and return its folder."""
    return str(write_tiny_gpt2(folder, scale=0.05))
