"""Columns with a role are found by their usual names."""

import pytest

from emojob.schemas.columns import find_roles, split_times


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (["date", "time", "text"], ("date", "time")),
        (["Time", "Date"], ("Date", "Time")),
        (["날짜", "시간", "내용"], ("날짜", "시간")),
        (["일자", "시각"], ("일자", "시각")),
        (["sent_date", "sent_time"], ("sent_date", "sent_time")),
        (["chatDate", "chatTime"], ("chatDate", "chatTime")),
        (["등록일", "등록시간"], ("등록일", "등록시간")),
        (["날짜", "발화시각"], ("날짜", "발화시각")),
        (["date", "time", "sent_at"], ("sent_at",)),
        (["date"], ("date",)),
        (["time", "reg_date"], ("time",)),
        (["상담일자", "상담시간"], ()),
        (["seq", "who"], ()),
    ],
)
def test_a_day_and_a_time_of_day_are_found_together(names, times):
    assert find_roles(names, None).times == times


def test_the_columns_of_a_shop_are_found():
    roles = find_roles(["room_id", "seq", "who", "ch", "created", "msg", "order_no"], "msg")
    assert (roles.conversation, roles.times, roles.speaker, roles.number) == ("room_id", ("created",), "who", "seq")


def test_given_names_count_first():
    names = ["date", "time", "a+b", "c"]
    assert find_roles(names, None, time="date").times == ("date",)
    assert split_times("date+time", names) == ("date", "time")
    assert split_times("DATE + Time", names) == ("date", "time")
    assert split_times("a+b", names) == ("a+b",)
    assert split_times("a+b+c", names) == ("a+b", "c")
    assert split_times("x+y", names) == ("x+y",)
