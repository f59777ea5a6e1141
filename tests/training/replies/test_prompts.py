"""The prompts that measure the tone of answers: 20 for each emotion, and none is a question of the built-in book."""

import re
import tomllib
from collections import Counter
from importlib import resources

import pyarrow as pa

from emojob.pipeline.privacy.pii.masking import mask
from emojob.pipeline.replies.answers.builtin import read_builtin_book

FILE = resources.files("emojob.training.replies").joinpath("prompts.toml")
PROMPTS = tomllib.loads(FILE.read_text(encoding="utf-8"))["prompt"]
TEXTS = [prompt["text"] for prompt in PROMPTS]


def bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


def test_each_emotion_has_twenty_prompts():
    emotions = ("일상", "분노", "불안", "슬픔", "기쁨", "우울")
    assert Counter(prompt["emotion"] for prompt in PROMPTS) == dict.fromkeys(emotions, 20)


def test_no_prompt_stands_twice():
    assert [text for text, times in Counter(map(bare, TEXTS)).items() if times > 1] == []


def test_no_prompt_is_a_question_of_the_built_in_book():
    assert set(map(bare, TEXTS)).isdisjoint(map(bare, read_builtin_book().questions))


def test_a_prompt_is_a_written_sentence_without_personal_data():
    assert [text for text in TEXTS if text != text.strip() or not 8 <= len(text) <= 100] == []
    assert mask(pa.array(TEXTS)).to_pylist() == TEXTS
