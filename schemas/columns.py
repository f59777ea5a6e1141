"""Defines the usual column names of dialogue logs, and the columns that emojob adds."""

from __future__ import annotations

import functools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

#: Columns that DuckDB can add to Parquet data: the number of the file, and the row number in the file.
OF_DUCKDB = ("file_index", "file_row_number")

#: Usual names of the text column. Comparisons ignore case, Unicode normalization, and spaces, hyphens, slashes, dots
#: and underscores between words.
USUAL_TEXT_COLUMNS = (
    "text", "utterance", "message", "content", "body", "document", "review", "comment", "sentence", "dialogue", "msg",
    "message_text", "chat_text", "utterance_text", "발화", "발화문", "문장", "내용", "대화", "텍스트", "본문", "메시지",
    "메세지", "댓글", "리뷰", "발화내용", "대화내용", "채팅내용", "메시지내용", "상담내용",
    "상담내역", "통화내용", "문의내용", "후기", "후기내용", "리뷰내용", "댓글내용", "사람문장1", "user",
)  # fmt: skip

#: Names in USUAL_TEXT_COLUMNS that name a text only if no other column has a usual name of a text. In exports of
#: messengers, for example, `User` is the speaker.
WEAK_TEXT_COLUMNS = ("user",)

#: Usual names of the column that identifies conversations.
USUAL_CONVERSATION_COLUMNS = (
    "conversation_id", "conversation", "conv_id", "dialogue_id", "dialog_id", "dialog", "session_id", "session",
    "room_id", "chat_id", "thread_id", "room", "chatroom_id", "chat_room_id", "ticket_id", "대화ID", "대화_ID",
    "대화번호", "대화_번호", "상담ID", "상담_ID", "상담번호", "세션ID", "세션_ID", "방ID", "방_ID", "방번호", "채팅방",
    "채팅방ID", "채팅방번호", "대화방", "대화방ID", "채팅ID", "채팅번호",
)  # fmt: skip

#: Usual names of the column with the time of each utterance.
USUAL_TIME_COLUMNS = (
    "said_at", "sent_at", "created_at", "timestamp", "datetime", "time", "date", "created", "sent", "ts", "regdate",
    "reg_date", "시간", "시각", "일시", "날짜", "등록일", "등록일시", "작성일", "작성일시", "발화시간", "발화시각",
    "전송시간", "전송시각", "date_time", "created_time", "sent_time", "send_time", "message_time", "msg_time", "일자",
    "대화시간", "대화일시", "채팅시간", "채팅일시", "메시지시간", "발송시간", "발송일시", "전송일시", "발화일시",
    "생성일시", "상담일시", "접수일시", "문의일시", "통화일시", "보낸시간", "timestamp_ms", "sent_at_ms",
    "created_at_ms", "타임스탬프", "제출일시", "제출시간", "제출시각", "제출일", "응답일시", "응답시각", "응답일",
    "참여일시", "설문일시", "응답시간",
)  # fmt: skip

#: Usual last words of the names of two columns that tell a time together: its day, and its time of day.
DAY_WORDS = ("date", "ymd", "날짜", "일자", "일")
CLOCK_WORDS = ("time", "hms", "시간", "시각")

#: Usual first words of these names: `date` and `time`, `sent_date` and `sent_time`, `발화일자` and `발화시각`.
PAIR_STEMS = (
    "", "sent", "send", "created", "create", "reg", "message", "msg", "chat", "said", "utterance", "log", "발화",
    "전송", "발송", "작성", "등록", "대화", "채팅", "메시지", "생성", "보낸", "접수", "문의",
    "제출", "응답",
)  # fmt: skip

#: What joins the names of these two columns in --time-column: `date+time`.
PAIR_MARK = "+"

#: Usual names of the column with the number of an utterance in its conversation.
USUAL_NUMBER_COLUMNS = (
    "seq", "sequence", "seq_no", "turn", "turn_id", "turn_no", "turn_number", "turn_index", "utterance_no",
    "utterance_number", "utterance_index", "message_no", "msg_no", "msg_seq", "순번", "순서", "턴", "턴번호",
    "발화순번", "발화순서", "발화번호", "대화순번", "대화순서", "메시지순번",
)  # fmt: skip

#: Usual names of the column that identifies speakers.
USUAL_SPEAKER_COLUMNS = (
    "speaker", "speaker_id", "sender", "sender_id", "sender_name", "author", "role", "participant", "who", "from",
    "user", "user_name", "nickname", "화자", "화자ID", "화자명", "화자구분", "발화자구분", "상담사고객구분",
    "고객상담사구분", "상담원고객구분", "화자_ID", "발화자", "발신자", "보낸사람", "보낸이", "작성자", "역할", "참여자",
    "대화명", "닉네임", "사용자명",
)  # fmt: skip

#: Usual names of a column or field with the turns of a conversation: a list of objects with a text.
USUAL_TURN_COLUMNS = (
    "messages", "conversations", "utterances", "turns", "dialog", "dialogue", "dialogs", "talk", "body", "utterance",
    "conversation", "chat", "content", "발화", "발화목록", "대화", "대화내용",
)  # fmt: skip

#: Columns of a row that was read from a turn of a conversation, in this order.
TURN_COLUMNS = ("conversation_id", "turn", "speaker", "sent_at", "text")

#: Usual names of the text of a turn, in addition to USUAL_TEXT_COLUMNS; and of its speaker and its time.
TURN_TEXTS = ("content", "value", "text", "utterance", "form", "original_form", "msg", "norm")
TURN_SPEAKERS = ("role", "from", "speaker", "speaker_id", "participantID", "participant_id", "name", "user")
#: Usual names of the name in an object that describes a speaker.
SPEAKER_NAMES = ("display_name", "real_name", "nickname", "name", "username", "id")

TURN_TIMES = ("date_unixtime", "start_time", "utterance_time")

#: Values of the column emotion_status. `scored`: the row is labelled. `truncated`: the row is labelled, but the text
#: was cut to --max-length. `empty`: the row has no text.
SCORED, TRUNCATED, EMPTY = "scored", "truncated", "empty"
STATUSES = (SCORED, TRUNCATED, EMPTY)

#: Probability at which a row carries a label, unless the model has another one.
DEFAULT_THRESHOLD = 0.5

_SEPARATORS = re.compile(r"[ _./-]")
_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

_NAME = pa.dictionary(pa.int32(), pa.string())


def of_usual_name(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return the column names that are in `usual`.

    Args:
        names: Column names of a file.
        usual: Usual names. Case, Unicode normalization, and what separates words are ignored: `sentAt`, `Sent At` and
            `sent_at` are the same name.

    Returns:
        The matching names as written in `names`, in the order of `usual`.
    """
    rank = _ranks(tuple(usual))
    return sorted((name for name in names if _joined(name) in rank), key=lambda name: rank[_joined(name)])


@functools.cache
def _ranks(usual: tuple[str, ...]) -> dict[str, int]:
    return {_joined(name): i for i, name in reversed(list(enumerate(usual)))}


@dataclass(frozen=True)
class Roles:
    """The columns that readers of an archive need.

    Attributes:
        conversation: Column with the conversation IDs; None if there is none.
        times: Columns with the time of an utterance: none, one, or two with the day and the time of day.
        speaker: Column that identifies speakers; None if there is none.
        number: Column with the number of an utterance in its conversation; None if there is none.
    """

    conversation: str | None = None
    times: tuple[str, ...] = ()
    speaker: str | None = None
    number: str | None = None


def find_roles(
    names: Sequence[str],
    text_column: str | None,
    conversation: str | None = None,
    time: str | None = None,
    speaker: str | None = None,
) -> Roles:
    """Return the columns with a role: the given columns, else columns with usual names.

    Args:
        names: Names of all columns.
        text_column: Name of the text column, which has no other role unless it is given.
        conversation: Name from the user. None: search for a usual name.
        time: Name from the user, or two names such as `date+time`. None: search for usual names.
        speaker: Name from the user. None: search for a usual name.

    Returns:
        The roles. A given name is returned even if no column has it.
    """
    others = [name for name in names if name != text_column]

    def chosen(given: str | None, usual: tuple[str, ...]) -> str | None:
        return _as_written(given, names) if given else next(iter(of_usual_name(others, usual)), None)

    return Roles(
        chosen(conversation, USUAL_CONVERSATION_COLUMNS),
        split_times(time, names) if time else usual_times(others),
        chosen(speaker, USUAL_SPEAKER_COLUMNS),
        chosen(None, USUAL_NUMBER_COLUMNS),
    )


def split_times(given: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a value of --time-column names: one, or two with the day and the time of day.

    Args:
        given: Such as `sent_at` or `date+time`. A column whose own name contains a + is one column.
        names: Names of all columns.
    """
    whole = _as_written(given, names)
    if whole in names:
        return (whole,)
    for mark in re.finditer(re.escape(PAIR_MARK), given):
        pair = tuple(_as_written(part.strip(), names) for part in (given[: mark.start()], given[mark.end() :]))
        if set(pair) <= set(names):
            return pair
    return (given,)


def usual_times(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns with usual names for the time of an utterance: none, one, or two (see `Roles.times`).

    The first column with a name in USUAL_TIME_COLUMNS is chosen. If its name tells that it has only the day or only the
    time of day, the column that completes it is chosen too.
    """
    named = of_usual_name(names, USUAL_TIME_COLUMNS)
    days, clocks = _by_stem(names, DAY_WORDS), _by_stem(names, CLOCK_WORDS)
    pairs = [(days[stem], clocks[stem]) for stem in PAIR_STEMS if stem in days and stem in clocks]
    if not named:
        return pairs[0] if pairs else ()
    pair: tuple[str, ...] | None = next((pair for pair in pairs if named[0] in pair), None)
    if pair is None and days.get("") == named[0] and len(clocks) == 1:
        pair = (named[0], *clocks.values())
    if pair is None and named[0] in clocks.values() and "" in days:
        pair = (days[""], named[0])
    return pair or (named[0],)


def _by_stem(names: Sequence[str], words: Sequence[str]) -> dict[str, str]:
    """Return {stem of PAIR_STEMS: name of the column}, for names that consist of the stem and one of the words."""
    found: dict[str, str] = {}
    for stem in PAIR_STEMS:
        for name in of_usual_name(names, tuple(stem + word for word in words if stem or word != "일")):
            found.setdefault(stem, name)
    return found


def _as_written(given: str, names: Sequence[str]) -> str:
    """Return the name in `names` that SQL cannot tell from `given`; `given` if there is none."""
    return given if given in names else next((name for name in names if in_sql(name) == in_sql(given)), given)


def _joined(name: str) -> str:
    """Return a form of a name that does not depend on how its words are separated."""
    return _SEPARATORS.sub("", folded(name))


def folded(name: str) -> str:
    """Return a form of a name that is equal for names that SQL, or a person, cannot tell apart.

    Upper and lower case are equal, and so are the Unicode forms NFC and NFD.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def in_sql(name: str) -> str:
    """Return a form of a name that is equal for names that DuckDB treats as equal: A to Z in upper and lower case."""
    return name.translate(_TO_LOWER)


def same_names(names: Sequence[str], form: Callable[[str], str] = folded) -> list[str]:
    """Return the names of which another name in `names` has the same form, in the order of `names`."""
    counts = Counter(map(form, names))
    return [name for name in names if counts[form(name)] > 1]


@dataclass(frozen=True)
class LabelColumns:
    """Names of the columns that emojob adds for a model.

    Attributes:
        labels: Labels of the model, in id order.
        prefix: Text at the beginning of each added column name.
        is_multi: Whether a text can carry several labels.
    """

    labels: tuple[str, ...]
    prefix: str = ""
    is_multi: bool = False

    @property
    def label(self) -> str:
        """Name of the column with the label of the highest probability."""
        return f"{self.prefix}emotion"

    @property
    def confidence(self) -> str:
        """Name of the column with the probability of this label."""
        return f"{self.prefix}confidence"

    @property
    def probabilities(self) -> list[str]:
        """Names of the probability columns, in the order of `labels`."""
        return [f"{self.prefix}prob_{label}" for label in self.labels]

    @property
    def status(self) -> str:
        """Name of the column with the status of each row."""
        return f"{self.prefix}emotion_status"

    @property
    def label_set(self) -> str | None:
        """Name of the column with the labels that a text carries; None if a text has exactly one label."""
        return f"{self.prefix}emotions" if self.is_multi else None

    def fields(self) -> list[pa.Field]:
        """Return the Arrow fields of the columns."""
        return [
            pa.field(self.label, _NAME),
            pa.field(self.confidence, pa.float32()),
            *(pa.field(name, pa.float32()) for name in self.probabilities),
            pa.field(self.status, _NAME),
            *([pa.field(self.label_set, pa.list_(pa.string()))] if self.label_set else []),
        ]


def label_fields(labels: tuple[str, ...], prefix: str = "", is_multi: bool = False) -> list[pa.Field]:
    """Return the Arrow fields of the columns that emojob adds. The arguments are those of `LabelColumns`."""
    return LabelColumns(labels, prefix, is_multi).fields()


#: Schema of OUT/_emojob/rejects.parquet, which lists the rows that could not be read.
REJECTS = pa.schema(
    [
        pa.field("input", pa.string(), nullable=False),
        pa.field(
            "position", pa.int64(), nullable=False
        ),  # row number in the input file; the first row after the header is 1
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),  # the first RAW_CHARACTERS characters of the row
    ]
)

#: Maximum length of the column `raw` in rejects.parquet, in characters.
RAW_CHARACTERS = 1000

#: Number of characters of a rejected row that are read. Masking needs the characters after RAW_CHARACTERS: half of a
#: phone number does not look like a phone number.
READ_CHARACTERS = 2 * RAW_CHARACTERS
