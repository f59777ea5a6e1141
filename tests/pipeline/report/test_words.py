"""Both languages of the report have the same texts with the same fields."""

from emojob.pipeline.report.words import words_of
from emojob.schemas.options import LANGUAGES


def test_both_languages_have_the_same_texts():
    english, korean = (dict(words_of(language)) for language in LANGUAGES)
    assert english.keys() == korean.keys()
    assert english.pop("checks").keys() == korean["checks"].keys()
    for name, text in english.items():
        fields = {part.split("}")[0] for part in str(text).split("{")[1:]}
        assert fields == {part.split("}")[0] for part in str(korean[name]).split("{")[1:]}, name
