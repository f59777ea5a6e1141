"""Lists column names in messages. A name that may be a value is not shown: the first line of a file may be a row.

The first row of a CSV file without a header, or the keys of a JSON object, may be names of people, telephone numbers or
texts. Messages and logs must not contain them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from emojob.schemas.columns import (
    USUAL_CONVERSATION_COLUMNS,
    USUAL_SPEAKER_COLUMNS,
    USUAL_TEXT_COLUMNS,
    USUAL_TIME_COLUMNS,
    of_usual_name,
)
from emojob.schemas.messages import counted, listed

_USUAL = (*USUAL_TEXT_COLUMNS, *USUAL_CONVERSATION_COLUMNS, *USUAL_TIME_COLUMNS, *USUAL_SPEAKER_COLUMNS)
_LONGEST, _LONGEST_KOREAN = 40, 16  # maximum number of characters of a name
_ENGLISH = (
    "address agent age amount category channel city class code comment content conversation count country customer "
    "date day dialog email emotion file gender group hour id index intent key label language level memo message model "
    "month name no note number order page part phone price product question rating reason region reply review role "
    "room row score sent sentence sentiment session shop speaker split start state status store tag team text time "
    "title topic turn type url user utterance value version week year"
)
_KOREAN = (
    "번호 일시 시간 시각 날짜 일자 내용 이름 성명 유형 구분 코드 상태 결과 채널 제목 답변 질문 문의 상담 "
    "고객 발화 화자 감정 라벨 레이블 점수 여부 항목 종류 분류 메모 비고 지역 주소 전화 연락처 이메일 "
    "나이 연령 성별 직업 등록 수정 생성 작성 사용자 회원 계정 주문 상품 매장 지점 담당 부서 언어 출처 "
    "순번 순서 아이디 세션 대화 문장 텍스트 본문 메시지 댓글 리뷰 평점 별점 톡방 파일 건수 금액 가격 "
    "수량 키워드 태그 정답 예측 신뢰도 확률 역할 참여 사람 발신 수신 보낸 받는 제출 응답 설문 만족도 의견"
)
_KNOWN = {*_ENGLISH.split(), *_KOREAN.split()}
_KOREAN_NOUN = re.compile(r"[가-힣]{1,8}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/()%#-]*(?:_[가-힣A-Za-z0-9]+)?")
_WORDS = re.compile(r"[A-Za-z0-9_]+(?: [A-Za-z0-9_:]+){1,3}")
_KOREAN_NAME = re.compile(r"[가-힣A-Za-z0-9_()/·-]+(?: [가-힣A-Za-z0-9_()/·-]+)?")
_ENGLISH_WORD = re.compile(rf"(?:^|[^a-z])(?:{'|'.join(_ENGLISH.split())})s?(?![a-z])", re.IGNORECASE)
_KOREAN_WORD = re.compile("|".join(_KOREAN.split()))
_SENTENCE = re.compile(r"(?:요|다|까|죠|님|씨|\d번|[.!?~ㅋㅎㅠㅜ])$")
_DIGITS = re.compile(r"\d{5}|\d[-. ]\d{2}|^\d{4,}$")  # part of a telephone number, an identity number or a time
_LETTERS = re.compile(r"[^\W\d_]")
_NUMBER_OR_TIME = re.compile(
    r"(?:[\d\s.,:/+%()-]|[TZ](?=\d|$)|[AP]M|오전|오후|년|월|일|시|분|초|점|원)+", re.IGNORECASE
)
_NO_VALUE = {
    "없음", "해당없음", "해당사항없음", "미상", "미정", "모름", "무응답", "미응답", "미입력", "none", "null", "nan",
    "na", "n/a", "nil", "unknown",
}  # fmt: skip
_SHORT = re.compile(r"\d{0,3}|[가-힣]|Unnamed: \d{1,3}")
_SHAPES = ((re.compile(r"[0-9]+"), "9"), (re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"\s+"), " "))


def listed_columns(names: Sequence[str]) -> str:
    """Join column names with commas, for a message. Names that may be values are only counted.

    If one of the names is a usual one, there is a header, so a Korean word beside it is a name, too.
    """
    is_header = any(map(is_known, names))
    usual = [name for name in names if is_usual(name) or (is_header and _is_noun(name))]
    hidden = len(names) - len(usual)
    if not hidden:
        return listed(names)
    others = f"{counted(hidden, 'name')} that may be {'a value' if hidden == 1 else 'values'}"
    return f"{f'{listed(usual)} and ' if usual else ''}{others} (not shown; is the header line missing?)"


def no_header(file: str, names: Sequence[str]) -> str:
    """Return the message about a file that seems to have no header. `names` are the cells of the first line."""
    named = "" if may_be_values(names) else f" ({listed_columns(names)})"
    return (
        f"{file} seems to have no header line, because the first line looks like the lines below; add a line with the "
        "names of the columns, such as conversation_id,text; or give --format lines if each line is one text; if the "
        f"first line is the header{named}, choose the text column with --text-column NAME"
    )


def may_be_values(names: Sequence[str]) -> bool:
    """Return whether a name may be a value, so that the header may be missing. See `listed_columns`."""
    is_header = any(map(is_known, names))
    return not all(is_usual(name) or (is_header and _is_noun(name)) for name in names)


def shown(name: str) -> str:
    """Return a column name in quotes for a message; a description if the name may be a value."""
    return repr(name) if is_usual(name) else f"(a name of {len(name)} characters that may be a value)"


def is_usual(name: str) -> bool:
    """Return whether a text looks like the name of a column, and not like a value."""
    name = unicodedata.normalize("NFC", name).strip()
    if of_usual_name([name], _USUAL) or _SHORT.fullmatch(name):
        return True
    if len(name) > _LONGEST or _DIGITS.search(name):
        return False
    if _IDENTIFIER.fullmatch(name):
        return True
    if _WORDS.fullmatch(name):
        return bool(_ENGLISH_WORD.search(name))
    is_short = len(name) <= _LONGEST_KOREAN and bool(_KOREAN_NAME.fullmatch(name))
    return is_short and bool(_KOREAN_WORD.search(name)) and not _SENTENCE.search(name)


def has_no_header(names: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Return whether the first line of a table seems to be a row, and not a header.

    This is so if a cell of the first line occurs again in its column, or is a number, a time or a long text like the
    cells below. But the first line is a header if a cell is a usual name of a column that does not occur again, or if
    no cell occurs again and a cell is a word above numbers or times. So a header may have long questions.

    Args:
        names: The cells of the first line.
        rows: The next rows.
    """
    columns = list(zip(*(row for row in rows if list(row) != list(names) and len(row) == len(names)), strict=True))
    if not columns:
        return False
    again = [bool(name) and name in cells for name, cells in zip(names, columns, strict=True)]
    if any(is_known(name) and not one for name, one in zip(names, again, strict=True)):
        return False
    if any(again):
        return True
    pairs = list(zip(names, columns, strict=True))
    return any(_is_like(*pair) for pair in pairs) and not any(_is_above_numbers(*pair) for pair in pairs)


def is_known(name: str) -> bool:
    """Return whether a text is a usual name of a column, such as text or 번호."""
    return bool(of_usual_name([name], _USUAL)) or name.lower() in _KNOWN


def _is_noun(name: str) -> bool:
    name = unicodedata.normalize("NFC", name)
    return bool(_KOREAN_NOUN.fullmatch(name)) and not _SENTENCE.search(name)


def _is_like(name: str, cells: Sequence[str]) -> bool:
    """Return whether a text with digits, or a long text, has the shape of most of the cells below."""
    filled = [cell for cell in cells if cell]
    if is_usual(name) or not filled:
        return False
    return 2 * sum(_shape(cell) == _shape(name) for cell in filled) > len(filled)


def _is_above_numbers(name: str, cells: Sequence[str]) -> bool:
    """Return whether a text without digits is above numbers or times only. A text for a missing value is no name."""
    if not _LETTERS.search(name) or re.search(r"\d", name) or name.strip().replace(" ", "").lower() in _NO_VALUE:
        return False
    filled = [cell for cell in cells if cell.strip() and cell.strip().lower() not in _NO_VALUE]
    return bool(filled) and all(re.search(r"\d", cell) and _NUMBER_OR_TIME.fullmatch(cell.strip()) for cell in filled)


def _shape(text: str) -> str:
    """Return the shape of a text: 9 for digits, a for letters. Texts of several words have the same shape."""
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text.strip())
    return "a a" if text.count("a ") > 1 or len(text) > _LONGEST else text
