"""replies.toml: which way, tone and fallback each emotion has, and what is refused."""

import pytest

from emojob.pipeline.replies.configuration import DEFAULT_FILE, default_text, read_configuration
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS


def changed(tmp_path, old, new):
    file = tmp_path / "replies.toml"
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


@pytest.mark.parametrize("emotion", ["분노", "불안", "슬픔", "우울"])
def test_a_hard_feeling_is_answered_from_the_book_only(emotion):
    assert read_configuration().ways(emotion, ("answers", "gpt2")) == ("answers",)


@pytest.mark.parametrize("emotion", ["기쁨", "일상"])
def test_an_easy_feeling_is_answered_by_the_model_if_there_is_one(emotion):
    configuration = read_configuration()
    assert configuration.ways(emotion, ("answers", "gpt2")) == ("gpt2", "answers")
    assert configuration.ways(emotion, ("answers",)) == ("answers",)


def test_each_emotion_of_the_default_model_has_a_line():
    assert set(DEFAULT_LABELS) <= set(read_configuration().emotions)


def test_an_emotion_without_a_line_and_no_emotion_have_the_line_for_others():
    configuration = read_configuration()
    assert configuration.of("놀람") == configuration.of(None) == configuration.emotions["*"]


def test_a_new_bot_has_a_line_for_each_emotion_of_its_model(tmp_path):
    file = tmp_path / "replies.toml"
    file.write_text(default_text(("기쁨", "짜증", "놀람", 'a"\\b\n')), encoding="utf-8")
    configuration = read_configuration(file)
    assert configuration.of("짜증").way == "answers"
    assert configuration.of("짜증").tone == "warm"
    assert configuration.of("놀람").way == "gpt2"
    assert configuration.of('a"\\b\n').fallback == "answers"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('way = "answers"', 'way = "kogpt"', "emotions.분노.way is 'kogpt'; give answers, gpt2"),
        ('tone = "calm"', 'tone = "cold"', "emotions.분노.tone is 'cold'; give calm, warm, bright"),
        ('fallback = "none"', 'fallback = "any"', "emotions.분노.fallback is 'any'; give answers, gpt2, none"),
        ("least_score = 0.25", "least_score = 45", "answers.least_score is 45"),
        ("least_score = 0.25", "", "answers lacks the key least_score"),
        ("[answers]", "[answer]", "the unknown section 'answer'; the sections are answers, gpt2 and emotions"),
        ("max_new_tokens = 48", "max_new_tokens = 0", "gpt2.max_new_tokens is 0"),
        ('"분노" = {', '"분노" = "answers" #', "emotions.분노 is 'answers'; give a line such as"),
        ("[gpt2]", "[gpt2", "is not valid TOML"),
    ],
)
def test_a_wrong_value_is_refused_with_the_right_ones(tmp_path, old, new, said):
    with pytest.raises(OptionError, match=r"replies\.toml") as error:
        read_configuration(changed(tmp_path, old, new))
    assert said in str(error.value)


def test_a_missing_file_says_where_to_get_one(tmp_path):
    with pytest.raises(OptionError, match="from another bot"):
        read_configuration(tmp_path / "replies.toml")


def test_a_line_for_an_emotion_that_no_text_can_have_is_named(tmp_path):
    configuration = read_configuration(
        changed(tmp_path, "[emotions]", '[emotions]\n"짜증" = { way = "answers", tone = "calm" }')
    )
    (line,) = configuration.unknown_emotions("my_bot", ("화남", "기쁨"))
    assert line == ("replies.toml of my_bot has a line for 짜증, but the labels are 화남, 기쁨: correct the name")
    assert configuration.unknown_emotions("my_bot", ("짜증",)) == []
    assert read_configuration().unknown_emotions("my_bot", ("화남",)) == []
