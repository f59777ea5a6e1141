"""Drift of labels where a row can carry several: each label is compared with the rows that do not carry it."""

import numpy as np
import pytest

from emojob.pipeline.nightly.label_drift import label_drift

SHARES = {"불평": 0.3, "슬픔": 0.25, "고마움": 0.1, "기쁨": 0.4, "놀람": 0.02}
ROWS = 2_000


def day(chance, **changed):
    return {label: int(chance.binomial(ROWS, changed.get(label, share))) for label, share in SHARES.items()}


def drift(chance, today, earlier_days=14):
    earlier = [day(chance) for _ in range(earlier_days)]
    sizes = (ROWS, [ROWS] * earlier_days)
    return label_drift(today, earlier, [0] * earlier_days, 0, 0.005, 0.02, sizes)


def test_days_without_a_change_are_rarely_significant():
    chance = np.random.default_rng(5)
    found = [drift(chance, day(chance)) for _ in range(200)]
    assert sum(one.is_significant for one in found) <= 3


@pytest.mark.parametrize(("label", "share"), [("고마움", 0.2), ("기쁨", 0.3), ("놀람", 0.06)])
def test_a_label_that_more_or_fewer_rows_carry_is_named_with_its_shares(label, share):
    chance = np.random.default_rng(6)
    found = drift(chance, day(chance, **{label: share}))
    (change,) = found.changed
    assert (change.label, found.is_significant) == (label, True)
    assert change.share == pytest.approx(share, abs=0.03)
    assert change.before == pytest.approx(SHARES[label], abs=0.02)


def test_a_label_on_every_row_today_does_not_change_the_shares_of_the_others():
    chance = np.random.default_rng(7)
    found = drift(chance, {**day(chance), "불평": ROWS})
    assert [change.label for change in found.changed] == ["불평"]
    assert found.index > 0.5
