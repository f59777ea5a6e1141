"""Which labels are negative: known names, names of the user, and what is unknown."""

import pytest

from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS, NEGATIVE, NOT_NEGATIVE, Meaning, meaning_of


def test_the_labels_of_the_default_model():
    assert meaning_of(DEFAULT_LABELS) == Meaning(("분노", "불안", "슬픔", "우울"), ("분노", "불안", "우울"), ())


@pytest.mark.parametrize(
    ("labels", "negative", "alarming", "unknown"),
    [
        (("긍정", "부정", "중립"), ("부정",), ("부정",), ()),
        (("Anger", "JOY", "Neutral"), ("Anger",), ("Anger",), ()),
        (("화남/분노", "안심/신뢰", "부담/안_내킴"), ("화남/분노", "부담/안_내킴"), ("화남/분노",), ()),
        (("배송", "환불"), (), (), ("배송", "환불")),
        (("분노", "환불"), ("분노",), ("분노",), ("환불",)),
        (("기쁨/분노",), (), (), ("기쁨/분노",)),
        (("기쁨", "일상"), (), (), ()),
    ],
)
def test_other_labels(labels, negative, alarming, unknown):
    assert meaning_of(labels) == Meaning(negative, alarming, unknown)


def test_nothing_is_known_without_a_negative_label_and_with_an_unknown_label():
    assert not meaning_of(("배송", "기쁨")).is_known
    assert meaning_of(("배송", "분노")).is_known
    assert meaning_of(("일상", "기쁨")).is_known


def test_the_user_names_the_negative_labels():
    assert meaning_of(("배송", "환불", "분노"), ["환불"]) == Meaning(("환불",), ("환불",), ())
    with pytest.raises(OptionError, match=r"--negative 반품: the model has no such label.* 배송, 환불"):
        meaning_of(("배송", "환불"), ["반품"])


def test_no_name_is_in_both_lists():
    assert not NEGATIVE & NOT_NEGATIVE
