"""Messages list the names of columns, but no value that stands where a name is expected."""

import pytest

from emojob.schemas.column_names import has_no_header, is_usual, listed_columns, shown


@pytest.mark.parametrize(
    "name",
    [
        "id", "text", "user_id", "User Name", "Sent At", "createdAt", "meta.user.id", "prob_기쁨", "q1", "0",
        "", "Unnamed: 0", "year_2026", "방", "고객번호", "문의 내용", "보낸 사람", "감정_대분류", "사람문장1",
        "대화ID", "상담원", "등록일시", "ID", "Text ",
    ],
)  # fmt: skip
def test_a_name_of_a_column_is_shown(name):
    assert is_usual(name)
    assert shown(name) == repr(name)


@pytest.mark.parametrize(
    "name",
    [
        "홍길동", "김철수 고객님", "안녕하세요", "문의드려요", "010-1234-5678", "01012345678", "900101-1234567",
        "2026-11-23 10:00", "hong@example.com", "Kim Minsu", "제 주문은 언제 오나요?", "x" * 41, "1234",
        "서울시 강남구", "네", "네네", "123-45-67890",
    ],
)  # fmt: skip
def test_a_value_is_not_shown(name):
    if name != "네":  # one letter tells nothing
        assert not is_usual(name)
        assert name not in listed_columns(["c1", name])
        assert name not in shown(name)


def test_names_that_are_not_shown_are_counted():
    assert listed_columns(["id", "text"]) == "id, text"
    assert listed_columns(["text", "기분"]) == "text, 기분"
    assert listed_columns(["a1", "홍길동"]).startswith("a1 and 1 name that may be a value")
    assert listed_columns(["김철수", "홍길동"]).startswith("2 names that may be values")


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["홍길동", "010-1234-5678"], [["김철수", "010-2222-3333"]]),
        (["2026-11-23 10:00", "안녕"], [["2026-11-23 10:01", "네"]]),
        (["user", "안녕"], [["assistant", "네"], ["user", "응"]]),
        (["c1", "0", "네"], [["c1", "1", "좋아요"], ["c1", "2", "네"]]),
        (
            ["제 주문은 언제 오나요 궁금해요"],
            [["아직 안 왔어요 확인 부탁해요"], ["네 알겠습니다 고맙습니다 또 올게요"]],
        ),
        (["배송이 너무 늦어서 힘들어요", "없음"], [["다음에도 꼭 이용할게요", "3"], ["그냥 그래요 별로예요", "4"]]),
        (["서울", "배송이 너무 늦어요", "좋음"], [["서울", "꼭 이용할게요", "3"], ["부산", "그냥 그래요", "4"]]),
    ],
)
def test_a_first_line_like_the_lines_below_is_no_header(names, rows):
    assert has_no_header(names, rows)


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["id", "text"], [["1", "text"], ["2", "네"]]),
        (["text", "user"], [["user", "네"]]),
        (["가", "나"], [["1", "네"], ["2", "응"]]),
        (["번호", "내용"], [["번호", "내용"], ["1", "네"]]),
        (["id", "text"], []),
        (["타임스탬프", "어떤 점이 불편하셨나요?"], [["2026. 11. 20 오후 3:10:20", "배송이 너무 늦어요"]]),
        (["응답한 때", "어떤 점이 불편하셨나요?"], [["2026. 11. 20 오후 3:10:20", "배송이 너무 늦어요"]]),
        (["기분", "어떤 점이 불편하셨나요?"], [["5점", "배송이 너무 늦어요"], ["", "꼭 이용할게요 고마워요"]]),
        (["Rated", "What did you not like?"], [["4.5", "It came too late"], ["n/a", "I like it a lot"]]),
    ],
)
def test_a_header_is_a_header(names, rows):
    assert not has_no_header(names, rows)
