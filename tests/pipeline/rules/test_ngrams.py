"""The n-gram model of the crisis rule: its file, long texts, and what it finds in texts that it did not learn from."""

from importlib.resources import files
from pathlib import Path

import pytest

from emojob.pipeline.rules.crisis import meets_wordings, speaks_of_crisis
from emojob.pipeline.rules.ngrams import NgramModel, ngrams, windows

TEXTS = Path(__file__).parent / "texts"


def rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (TEXTS / name).read_text(encoding="utf-8").splitlines()]


HELD_OUT, SECOND = rows("held_out.tsv"), rows("held_out_second.tsv")
FOUND = "오늘 밤이 지나면 저는 이 세상에 없을 것 같아요"


def texts(label: str, held_out: list[list[str]] = HELD_OUT) -> list[str]:
    return [text for kind, _, text in held_out if kind == label]


def test_the_texts_of_the_measure_were_not_learned():
    folder = files("emojob.training.rules") / "texts"
    files_read = [(folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("crisis", "harmless")]
    learned = {line for content in files_read for line in content.splitlines()}
    assert (len(HELD_OUT), len(SECOND)) == (160, 40)
    assert not learned & {text for _, _, text in (*HELD_OUT, *SECOND)}


def test_of_unseen_texts_the_crises_are_found_and_the_harmless_ones_pass():
    crises, harmless = texts("crisis"), texts("harmless")
    assert speaks_of_crisis(crises).mean() >= 0.78
    assert speaks_of_crisis(crises).sum() >= meets_wordings(crises).sum() + 12
    assert speaks_of_crisis(harmless).mean() <= 0.04


def test_slang_and_preparations_are_found_and_grief_and_quarrels_pass():
    """held_out_second.tsv was written before the texts of these kinds were added to the training texts."""
    assert speaks_of_crisis(texts("crisis", SECOND)).sum() >= 18
    assert speaks_of_crisis(texts("harmless", SECOND)).sum() <= 2


def test_a_crisis_in_the_middle_of_a_long_text_is_found():
    ordinary = "어제 주문한 냉장고가 아직 도착하지 않아서 문의드립니다 배송 기사님 연락처를 알 수 있을까요"
    assert not speaks_of_crisis([" ".join([ordinary] * 12)])[0]
    assert speaks_of_crisis([" ".join([*[ordinary] * 6, FOUND, *[ordinary] * 6])])[0]


def test_the_windows_of_a_long_text_hold_all_words():
    words = [f"말{number}" for number in range(61)]
    found = list(windows(" ".join(words)))
    assert {word for one in found for word in one} == set(words)
    assert max(map(len, found)) == 24
    assert list(windows("")) == [[]]


def test_ngrams_are_inside_of_words_or_join_the_ends_of_neighbours():
    assert ngrams(["가나", "다"]) == {
        "가", "나", " 가", "가나", "나 ", " 가나", "가나 ", " 가나 ", "다", " 다", "다 ", " 다 ", "가나_다",
    }  # fmt: skip


@pytest.mark.parametrize("ngram", [" 죽", "_", "#", '"', "다_고"])
def test_a_model_is_read_as_it_was_written(ngram):
    model = NgramModel({ngram: 1.25, "가": -0.5}, -3.0)
    assert NgramModel.read(model.write()) == model
