"""A rule in TOML."""

import pytest

from emojob.pipeline.rules.rule import Rule

RULE = r"""
stop = '환불'

[parts]
shop = '가게|매장'

[[groups]]
name = "refund"
stems = ['환불']
patterns = ['환 불 해']
harmless = ['{shop}~환불']

[[groups]]
name = "threat"
stems = ['신고']
patterns = ['신고 할']
beside = ['오늘', '당장']
"""


@pytest.fixture(scope="module")
def rule():
    return Rule(RULE)


def test_a_space_in_a_pattern_stands_for_one_mark_or_none(rule):
    assert rule.is_met(["환불해 주세요", "환불 해 주세요", "환불.해 주세요"]).all()
    assert not rule.is_met(["환불 꼭 해 주세요"])[0]


def test_a_harmless_wording_excuses_only_what_it_covers(rule):
    assert not rule.is_met(["매장에서 바로 환불해 줬어요"])[0]
    assert rule.is_met(["매장에서 환불해 줬어요 이것도 환불해 주세요"])[0]
    assert rule.is_met(["매장에 갔어요. 환불해 주세요"])[0]


def test_a_match_counts_only_near_a_wording_beside_it(rule):
    assert rule.is_met(["당장 신고할 거예요", "신고할게요. 오늘이요", "신고할래요 당장"]).all()
    assert not rule.is_met(["신고할 거예요"])[0]
    assert not rule.is_met(["오늘은 비가 오고 길이 막혀서 집에 늦게 왔고 저녁도 아주 늦게 먹었네요. 신고할 거예요"])[0]


def test_texts_that_are_empty_or_missing_meet_no_rule(rule):
    assert rule.is_met([None, "", "   "]).tolist() == [False, False, False]
    assert rule.is_met([]).shape == (0,)
