"""Both languages of the report have the same texts with the same fields."""

import re

from emojob.pipeline.report.words import words_of
from emojob.schemas.options import LANGUAGES


def test_both_languages_have_the_same_texts():
    english, korean = map(words_of, LANGUAGES)
    _compare(english, korean)


def _compare(english, korean):
    assert english.keys() == korean.keys()
    for name, text in english.items():
        if isinstance(text, dict):
            _compare(text, korean[name])
            continue
        fields = [set(re.findall(r"{\w+}", str(one))) for one in (text, korean[name])]
        assert fields[0] == fields[1], name
