"""Which texts speak of suicide or self-harm. The texts in texts/ were invented for these tests."""

import random
import re
import time
import tomllib
import unicodedata
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from emojob.pipeline.rules.crisis import CRISIS, CRISIS_LINE, speaks_of_crisis

TEXTS = Path(__file__).parent / "texts"


def lines(name):
    return TEXTS.joinpath(name).read_text(encoding="utf-8").splitlines()


def wrong(texts, expected):
    return [text for text, found in zip(texts, speaks_of_crisis(texts), strict=True) if found != expected]


def test_finds_every_wording_of_a_crisis():
    assert wrong(lines("crisis.txt"), True) == []


def test_passes_every_harmless_wording_with_the_same_words():
    assert wrong(lines("harmless.txt"), False) == []


@pytest.mark.parametrize(("label", "least"), [("crisis", 0.95), ("harmless", 0.99)])
def test_the_texts_of_the_rounds_are_judged_rightly(label, least):
    """rounds.tsv: label, what the text shows, text. The rule was improved after each round."""
    texts = [text for given, _, text in (line.split("\t") for line in lines("rounds.tsv")) if given == label]
    mistakes = wrong(texts, label == "crisis")
    assert len(mistakes) <= (1 - least) * len(texts), mistakes


def test_a_crisis_is_found_beside_harmless_sentences():
    for harmless in random.Random(7).sample(lines("harmless.txt"), 60):
        assert wrong([f"{harmless}. 그리고 죽고 싶어요", f"저 자해했어요. {harmless}"], True) == [], harmless


def test_a_harmless_word_does_not_excuse_a_crisis_in_the_same_sentence():
    texts = [
        "배고파 죽겠다 그리고 죽고 싶어요",
        "게임하다가 죽고 싶어졌어요",
        "영화를 봐도 재미없고 죽고 싶다",
        "배터리가 죽어서 나도 죽고 싶다",
        "한강에서 라면 먹고 나서 한강 다리 난간에 섰어요",
        "과제가 힘들어서 자살 시도를 했어요",
        "옥상 텃밭에서 뛰어내리고 싶어요",
    ]
    assert wrong(texts, True) == []


@pytest.mark.parametrize(
    "disguised",
    [
        "죽\u200b고\u200b싶\u200b다",
        "죽.고.싶.다",
        "죽 고 싶 다",
        "죽♡고♡싶♡다",
        "죽고ㅠㅠ싶다",
        "ㅈㅜㄱㄱㅗ ㅅㅣㅍㄷㅏ",
        "죽고 싶다아아아아",
        "ㅈㅏ살할래",
        "자 살하고 싶다",
        "자*살",
        "ㅈ살각",
    ],
)
def test_a_disguised_wording_is_found(disguised):
    assert wrong([disguised, f"오늘 {disguised}", unicodedata.normalize("NFD", disguised)], True) == []


def test_texts_that_are_empty_or_missing_do_not_speak_of_a_crisis():
    found = speaks_of_crisis([None, "", " \n", "네", "죽고 싶다"])
    assert found.dtype == np.bool_
    assert found.tolist() == [False, False, False, False, True]


def test_the_answer_to_a_text_does_not_depend_on_the_others():
    texts = [*lines("crisis.txt")[:40], *lines("harmless.txt")[:40]]
    assert speaks_of_crisis(texts).tolist() == [speaks_of_crisis([text])[0] for text in texts]


def test_the_names_that_others_show():
    assert (CRISIS, CRISIS_LINE) == ("crisis", "109")


def test_no_pattern_repeats_without_a_maximum():
    rule = tomllib.loads((files("emojob.pipeline.rules") / "crisis.toml").read_text(encoding="utf-8"))
    patterns = [
        *rule["parts"].values(),
        *(one for group in rule["groups"] for key in ("patterns", "harmless", "beside") for one in group.get(key, [])),
    ]
    assert [one for one in patterns if re.search(r"(?<!\\)[*+]|\{\d*,\}", one)] == []


@pytest.mark.parametrize(
    "piece",
    [
        "죽",
        "죽고 ",
        "자 살 ",
        "ㅈㅏ",
        "가\u0301\u0327",
        "옥상에 ",
        "약 ",
        "그냥 다 ",
        "내가 없으면 ",
        "게임에서 ",
        "사라졌으면 ",
        "옥상에서 뛰는 ",
        "약을 줄이 ",
        "나 죽을 거 ",
        "🙂",
        ". ",
    ],
)
def test_a_long_text_takes_time_in_proportion_to_its_length(piece):
    def seconds(characters):
        begin = time.process_time()
        speaks_of_crisis([(piece * characters)[:characters]])
        return time.process_time() - begin

    assert seconds(40_000) < 10 * max(seconds(10_000), 0.01)
