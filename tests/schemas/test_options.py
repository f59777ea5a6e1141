"""Options check themselves and report the value and the right ones."""

import pytest

from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions, ScoreOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "gpu"},
        {"engine": "jax"},
        {"precision": "fp8"},
        {"max_length": 2},
        {"max_length": 513},
        {"batch_tokens": 0},
    ],
)
def test_a_wrong_model_option_is_refused(wrong):
    (value,) = wrong.values()
    with pytest.raises(OptionError, match=str(value)):
        ModelOptions(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"encoding": "latin"}, {"limit": 0}, {"max_rejects": "few"}, {"max_rejects": "-1"}, {"max_rejects": "nan"}],
)
def test_a_wrong_score_option_is_refused(wrong):
    with pytest.raises(OptionError):
        ScoreOptions(**wrong)


def test_rejects_are_allowed_by_number_or_by_share():
    assert ScoreOptions(max_rejects="7").rejects_allowed(10_000) == 7
    assert ScoreOptions(max_rejects="1%").rejects_allowed(10_000) == 100
