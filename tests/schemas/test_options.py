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


@pytest.mark.parametrize(
    ("given", "right"),
    [("0.05", "give 5% for this share"), ("1.5", "give 1.5% for a percentage"), ("101%", "give at most 100%")],
)
def test_a_share_of_rejects_without_a_percent_sign_is_refused_with_what_would_be_right(given, right):
    with pytest.raises(OptionError, match=right):
        ScoreOptions(max_rejects=given)


@pytest.mark.parametrize(("given", "allowed"), [("0", 0), ("100%", 400), ("0.5%", 2), ("0%", 0), ("1000", 1000)])
def test_whole_numbers_and_percentages_of_rejects(given, allowed):
    assert ScoreOptions(max_rejects=given).rejects_allowed(400) == allowed


def test_rejects_are_allowed_by_number_or_by_share():
    assert ScoreOptions(max_rejects="7").rejects_allowed(10_000) == 7
    assert ScoreOptions(max_rejects="1%").rejects_allowed(10_000) == 100


@pytest.mark.parametrize(("rows", "allowed"), [(1, 1), (100, 1), (250, 2.5), (10_000, 100), (10**9, 100)])
def test_without_max_rejects_one_percent_of_the_rows_but_never_more_than_100_may_be_rejected(rows, allowed):
    assert ScoreOptions().rejects_allowed(rows) == ScoreOptions(max_rejects="auto").rejects_allowed(rows) == allowed
