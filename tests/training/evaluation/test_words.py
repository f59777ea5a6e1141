"""Both languages have the same texts with the same fields, and the page of a model is Korean on request."""

import re

import pytest

from emojob.pipeline.html.page import Spec
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import LANGUAGES
from emojob.training.data.annotated import AnnotatedCounts
from emojob.training.evaluation.comparison import compare
from emojob.training.evaluation.page import write_page
from emojob.training.evaluation.words import counts_line, too_few_legend, words_of
from tests.training.evaluation.test_page import CURVES, Page, evaluation, predictions


def test_both_languages_have_the_same_texts():
    english, korean = map(words_of, LANGUAGES)
    assert english.keys() == korean.keys()
    for name, text in english.items():
        fields = [sorted(set(re.findall(r"{\w+}", str(one)))) for one in (text, korean[name])]
        assert fields[0] == fields[1], name


def test_the_page_has_no_english_words_in_korean(tmp_path):
    ours, labels = predictions()
    other, _ = predictions(seed=5)
    file = tmp_path / "page.html"
    comparison = compare(ours, other, labels, DEFAULT_LABELS)
    write_page(file, "내 모델", evaluation(), CURVES, {}, comparison, "앞 모델", language="ko")
    page = Page(file.read_text(encoding="utf-8"))
    assert next(one["lang"] for tag, one in page.elements if tag == "html") == "ko"
    shown = [*page.text["main"], *_titles(page.charts)]
    assert {word for text in shown for word in re.findall(r"[A-Za-z]{2,}", text)} == {"Macro", "ECE"}


def _titles(value: Spec | list | object) -> list[str]:
    """Return all titles in charts."""
    if isinstance(value, dict):
        own = [value["title"]] if isinstance(value.get("title"), str) else []
        return own + [text for one in value.values() for text in _titles(one)]
    return [text for one in value for text in _titles(one)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("language", "line"),
    [("en", "9 rows = 6 kept + 2 empty + 1 repeated"), ("ko", "9행 = 사용 6 + 텍스트 없음 2 + 중복 1")],
)
def test_rows_are_counted_with_their_reason(language, line):
    counts = AnnotatedCounts(9, empty=2, unlabelled=0, dropped=0, unclear=0, repeated=1, contradictory=0, kept=6)
    assert counts_line(counts, words_of(language)) == line
    if language == "en":
        assert line == counts.summary()
    assert "{" not in too_few_legend(words_of(language))
