"""The checks of a draft: what is dropped, and for which reason."""

import pytest

from emojob.pipeline.replies import checks
from emojob.pipeline.replies.checks import check_drafts, is_anger


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        ("네, 바로 확인해 드릴게요.", ""),
        ("ㅎㅎ 네!", ""),
        ("네", checks.TOO_SHORT),
        ("정말 " * 150 + "감사합니다", checks.TOO_LONG),
        ("Thank you very much 네", checks.NOT_KOREAN),
        ("12345", checks.NOT_KOREAN),
        ("확인해\x1b[31m 드릴게요", checks.NOT_KOREAN),
        ("그래요 그래요 그래요 그래요 그래요 그래요", checks.REPEATED),
        ("아아아아아아아아", checks.REPEATED),
        ("같이 죽고 싶네요", checks.OF_CRISIS),
        ("정말 화가 나서 미치겠네 짜증나", checks.ANGRY),
    ],
)
def test_a_written_draft_is_dropped_with_the_reason(scorer, draft, reason):
    (checked,) = check_drafts([draft], scorer, lambda text: 0)
    assert checked.reason == reason


def test_an_answer_of_the_book_may_be_long(scorer):
    answer = "문의하신 내용을 담당 부서에 전달하겠습니다. " * 12 + "감사합니다."
    assert 300 < len(answer) < 1000
    assert check_drafts([answer], scorer)[0].reason == ""


def test_a_copied_draft_is_dropped(scorer):
    words = {"네, 그렇게 할게요.": 21, "네, 바로 할게요.": 20}
    copied, free = check_drafts(list(words), scorer, words.__getitem__)
    assert (copied.reason, free.reason) == (checks.COPIED, "")


def test_personal_data_is_masked(scorer):
    (checked,) = check_drafts(["담당자 번호는 010-1234-5678입니다."], scorer)
    assert "5678" not in checked.text
    assert checked.reason == ""


def test_no_draft_gives_no_result(scorer):
    assert check_drafts([], scorer) == []


@pytest.mark.parametrize(
    ("label", "found"), [("분노", True), ("화남/분노", True), ("Anger", True), ("화", True), ("평화", False)]
)
def test_names_of_anger(label, found):
    assert is_anger(label) is found
