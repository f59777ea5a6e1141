"""Annotated files of each shape give the same utterances; what cannot be told is refused in one line."""

import gzip
import hashlib
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.schemas import sheet
from emojob.schemas.errors import ColumnError, DataError, OptionError
from emojob.training.data.corpus import CorpusOptions, read_corpus

PREVIOUS = CorpusOptions(context="previous")


@pytest.fixture
def written(tmp_path):
    def write(name: str, text: str, encoding: str = "utf-8") -> Path:
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return write


# -- tables --------------------------------------------------------------------------------------------------------

TABLE = "label,text\n기쁨,오늘 정말 신나\n분노,왜 또 늦었어\n,라벨이 없어\n불안,\n"
TEXTS = ["오늘 정말 신나", "왜 또 늦었어", "라벨이 없어", ""]
GIVEN = [("기쁨",), ("분노",), (), ("불안",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_csv_is_read_in_each_encoding(written, encoding):
    corpus = read_corpus([written("a.csv", TABLE, encoding)])
    assert (corpus.texts, corpus.raw_labels) == (TEXTS, GIVEN)
    assert corpus.previous == corpus.conversations == [None] * 4


def test_every_format_gives_the_same(tmp_path, written):
    rows = [{"label": label[0] if label else None, "text": text} for label, text in zip(GIVEN, TEXTS, strict=True)]
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    files = [
        tmp_path / "a.csv.gz",
        tmp_path / "a.parquet",
        written("a.tsv", TABLE.replace(",", "\t")),
        written("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)),
        written("a.json", json.dumps(rows, ensure_ascii=False, indent=2), "utf-8-sig"),
        written("b.json", json.dumps(rows, ensure_ascii=False), "cp949"),
    ]
    if pa.Codec.is_available("zstd"):
        with pa.CompressedOutputStream(str(tmp_path / "a.csv.zst"), "zstd") as stream:
            stream.write(TABLE.encode())
        files.append(tmp_path / "a.csv.zst")
    for file in files:
        corpus = read_corpus([file])
        assert (corpus.texts, corpus.raw_labels) == (TEXTS, GIVEN), file.name
        assert corpus.files[0].kind == "table"
    together = read_corpus(files)
    assert together.texts == TEXTS * len(files)
    assert [file.name for file in together.files] == [file.name for file in files]


def test_the_notebooks_own_shape_is_read(written):
    corpus = read_corpus([written("train.csv", "sentiment,user\n기쁨,합격했어\n슬픔,헤어졌어\n", "cp949")])
    assert (corpus.texts, corpus.raw_labels) == (["합격했어", "헤어졌어"], [("기쁨",), ("슬픔",)])


def test_a_file_is_noted_with_its_hash_size_rows_and_rejected_rows(written):
    file = written("a.csv", "text,label\n좋아,기쁨\n하나,둘,셋\n싫어,분노\n")
    corpus = read_corpus([file])
    (facts,) = corpus.files
    assert (facts.rows, facts.rejected, corpus.rejected) == (3, 1, 1)
    assert facts.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts.bytes == file.stat().st_size
    assert corpus.summary() == "a.csv (table, 3 rows); 1 rows could not be read"


def test_labels_may_be_lists_or_numbers(tmp_path):
    table = pa.table({"text": ["가", "나", "다"], "labels": [["기쁨", " 기쁨 ", "슬픔"], [], None]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_corpus([tmp_path / "a.parquet"]).raw_labels == [("기쁨", "슬픔"), (), ()]
    pq.write_table(pa.table({"text": ["가", "나", "다"], "label": [1.0, 2.5, float("nan")]}), tmp_path / "b.parquet")
    assert read_corpus([tmp_path / "b.parquet"]).raw_labels == [("1",), ("2.5",), ()]


def test_labels_that_look_the_same_are_the_same(written):
    decomposed = unicodedata.normalize("NFD", "기쁨")
    corpus = read_corpus([written("a.csv", f"text,label\n가,{decomposed} \n나,기쁨\n")])
    assert corpus.raw_labels == [("기쁨",), ("기쁨",)]


def test_a_first_column_without_a_name_does_no_harm(written):
    assert read_corpus([written("a.csv", ",text,label\n0,좋아,기쁨\n")]).raw_labels == [("기쁨",)]


def test_text_that_is_not_utf8_in_parquet_is_read_all_the_same(tmp_path):
    broken = pa.array([b"\xff ok", b"fine"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": broken, "label": ["기쁨", "분노"]}), tmp_path / "a.parquet")
    assert read_corpus([tmp_path / "a.parquet"]).texts == ["\ufffd ok", "fine"]


@pytest.mark.parametrize(
    ("header", "options", "complaint"),
    [
        ("text,label,emotion", {}, r"columns label, emotion may each be the label; say which: --label-column"),
        ("text,기분", {}, r"the columns are text, 기분; say which: --label-column"),
        ("말,label", {}, r"--text-column"),
        ("text,label", {"label_column": "감정"}, r"no column '감정'; its columns are text, label"),
        ("text,label", {"text_column": "말"}, r"no column '말'"),
        ("text,label", {"label_column": "text"}, r"both text and label"),
        ("text,label,label", {}, r"more than once: label"),
        ("text,label", {"conversation_column": "room"}, r"no column 'room'"),
    ],
)
def test_columns_that_do_not_fit_are_refused_with_what_there_is(written, header, options, complaint):
    file = written("a.csv", f"{header}\n" + ",".join("가" * len(header.split(","))) + "\n")
    with pytest.raises(ColumnError, match=complaint) as refusal:
        read_corpus([file], CorpusOptions(**options))
    assert "\n" not in str(refusal.value)


def test_objects_are_no_labels(written):
    with pytest.raises(ColumnError, match="no labels"):
        read_corpus([written("a.jsonl", '{"text": "가", "label": {"a": 1}}\n')])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "is not a JSON list"),
        ('[{"text": "가"},]', "is not a JSON list"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "holds no JSON object"),
        ('["가", 1]', "holds no JSON object"),
    ],
)
def test_a_json_list_that_cannot_be_read_is_refused_in_one_line(written, text, complaint):
    with pytest.raises(DataError, match=complaint) as refusal:
        read_corpus([written("a.json", text)])
    assert "\n" not in str(refusal.value)


def test_items_of_a_json_list_that_are_no_objects_are_rejected(written):
    items = '[{"text": "가", "label": "기쁨"}, 3, {"text": "\\ud800", "label": "분노"}, {"text": 7, "label": 1}]'
    corpus = read_corpus([written("a.json", items)])
    assert (corpus.texts, corpus.raw_labels) == (["가", "7"], [("기쁨",), ("1",)])
    assert (corpus.files[0].rows, corpus.files[0].rejected) == (4, 2)


def test_an_unknown_context_or_no_file_is_refused(tmp_path):
    with pytest.raises(OptionError, match="--context 'next'"):
        CorpusOptions(context="next")
    with pytest.raises(DataError, match="no annotated file"):
        read_corpus([])
    with pytest.raises(DataError, match="no such file"):
        read_corpus([tmp_path / "none.csv"])


# -- KOTE and GoEmotions -------------------------------------------------------------------------------------------


def test_kote_is_seen_without_a_header_and_its_ids_get_their_names(written):
    corpus = read_corpus(
        [written("k.tsv", '5\t기다린 보람이 있네\t38,42\n5\t"그는 ""끝""이라 했다"\t5\n7\t오늘 회의\t24\n')]
    )
    assert corpus.texts == ["기다린 보람이 있네", '그는 "끝"이라 했다', "오늘 회의"]
    assert corpus.raw_labels == [("불쌍함/연민", "기쁨"), ("슬픔",), ("없음",)]
    assert (corpus.files[0].kind, corpus.files[0].rows) == ("kote", 3)


def test_goemotions_is_seen_without_a_header_whatever_stands_behind(written):
    corpus = read_corpus([written("g.tsv", '이건 "정말 좋다\t17,20\tabc1\n그냥 그래\t27\tabc2\n')])
    assert corpus.texts == ['이건 "정말 좋다', "그냥 그래"]
    assert corpus.raw_labels == [("joy", "optimism"), ("neutral",)]
    assert corpus.files[0].kind == "goemotions"
    assert read_corpus([written("g2.tsv", "그냥 그래\t27\n")]).raw_labels == [("neutral",)]


def test_a_row_of_theirs_without_ids_is_rejected(written):
    corpus = read_corpus([written("g.tsv", "그냥 그래\t27\n아무 말\tjoy\n빈칸\t\n하나뿐\n")])
    assert corpus.texts == ["그냥 그래"]
    assert (corpus.files[0].rows, corpus.files[0].rejected) == (4, 3)


def test_an_id_that_they_do_not_have_is_refused_with_its_count(written):
    with pytest.raises(DataError, match=r"44 \(2\), 99 \(1\); known are 0 to 43"):
        read_corpus([written("k.tsv", "1\t가\t44\n2\t나\t44,3\n3\t다\t99\n")])


def test_numbers_that_may_be_somebodys_own_are_refused(written):
    with pytest.raises(DataError, match="a number means nothing on its own"):
        read_corpus([written("own.tsv", "너무 좋아\t1\n너무 싫어\t0\n")])


# -- AI Hub --------------------------------------------------------------------------------------------------------

DIALOGUES = (
    "연령,성별,상황키워드,신체질환,감정_대분류,감정_소분류,사람문장1,시스템문장1,사람문장2,시스템문장2,사람문장3,시스템문장3\n"
    "청년,남성,직장,해당없음,분노 ,짜증,일이 또 밀렸어,많이 힘드셨겠어요,"
    "내 탓만 해,속상하시겠어요,그만두고 싶어,쉬어 보세요\n"
    "노년,여성,건강,해당없음,기쁨,감사,무릎이 다 나았어,다행이에요,이제 걸을 수 있어,축하드려요,,\n"
)
FIRST = ["일이 또 밀렸어", "무릎이 다 나았어"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_ai_hubs_dialogues_give_what_the_person_says_first(written, encoding):
    corpus = read_corpus([written("감성.csv", DIALOGUES, encoding)])
    assert (corpus.texts, corpus.raw_labels) == (FIRST, [("분노",), ("기쁨",)])
    assert (corpus.previous, corpus.files[0].kind) == ([None, None], "aihub-dialogue")


def test_ai_hubs_dialogues_with_context_give_each_sentence_behind_the_systems(written):
    corpus = read_corpus([written("감성.csv", DIALOGUES)], PREVIOUS)
    assert list(zip(corpus.previous, corpus.texts, strict=True)) == [
        (None, "일이 또 밀렸어"),
        ("많이 힘드셨겠어요", "내 탓만 해"),
        ("속상하시겠어요", "그만두고 싶어"),
        (None, "무릎이 다 나았어"),
        ("다행이에요", "이제 걸을 수 있어"),
    ]
    assert corpus.raw_labels == [("분노",)] * 3 + [("기쁨",)] * 2
    assert [corpus.conversations.index(one) for one in corpus.conversations] == [0, 0, 0, 3, 3]
    assert corpus.files[0].rows == 2


def test_another_label_or_text_column_of_the_dialogues_may_be_asked_for(written):
    file = written("감성.csv", DIALOGUES)
    assert read_corpus([file], CorpusOptions(label_column="감정_소분류")).raw_labels == [("짜증",), ("감사",)]
    second = read_corpus([file], CorpusOptions(text_column="사람문장2"))
    assert (second.texts, second.raw_labels) == (["내 탓만 해", "이제 걸을 수 있어"], [("분노",), ("기쁨",)])


def test_two_columns_of_the_dialogues_are_enough(written):
    file = written("검증.csv", "감정_대분류,사람문장1\n당황,갑자기 비가 와\n", "cp949")
    assert read_corpus([file]).raw_labels == [("당황",)]
    with pytest.raises(ColumnError, match="has no conversations"):
        read_corpus([file], PREVIOUS)


def dialogue(code: str | None, *sentences: str) -> dict:
    keys = ("HS01", "SS01", "HS02", "SS02", "HS03", "SS03")
    content = dict(zip(keys, [*sentences, *[""] * 6][:6], strict=True))
    return {"profile": {"emotion": {"type": code}}, "talk": {"content": content}}


def test_ai_hubs_json_gives_the_same_as_its_table(written):
    dialogues = [
        dialogue(
            "E18", "일이 또 밀렸어", "많이 힘드셨겠어요", "내 탓만 해", "속상하시겠어요", "그만두고 싶어", "쉬어 보세요"
        ),
        dialogue("E66", "무릎이 다 나았어", "다행이에요", "이제 걸을 수 있어", "축하드려요"),
    ]
    file = written("감성.json", json.dumps(dialogues, ensure_ascii=False, indent=1))
    for options in (CorpusOptions(), PREVIOUS):
        ours, theirs = read_corpus([file], options), read_corpus([written("감성.csv", DIALOGUES)], options)
        assert (ours.texts, ours.raw_labels, ours.previous) == (theirs.texts, theirs.raw_labels, theirs.previous)


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("E10", "분노"),
        ("E29", "슬픔"),
        ("E30", "불안"),
        ("E49", "상처"),
        ("E50", "당황"),
        ("E69", "기쁨"),
        (None, None),
    ],
)
def test_an_emotion_code_means_its_ten(written, code, label):
    corpus = read_corpus([written("a.json", json.dumps([dialogue(code, "그래")]))])
    assert corpus.raw_labels == [(label,) if label else ()]


def test_an_unknown_emotion_code_is_refused_with_its_count(written):
    dialogues = [dialogue(code, "그래") for code in ("E70", "E18", "E70", "X1", "E5")]
    with pytest.raises(DataError, match=r"E70 \(2\), E5 \(1\), X1 \(1\); known are E10 to E69"):
        read_corpus([written("a.json", json.dumps(dialogues))])


def test_a_dialogue_that_lacks_its_parts_counts_as_empty_or_unlabelled(written):
    dialogues = [dialogue("E18", "그래"), {"profile": {}, "talk": {"content": None}}, {"other": 1}]
    corpus = read_corpus([written("a.json", json.dumps(dialogues))])
    assert (corpus.texts, corpus.raw_labels) == (["그래", None, None], [("분노",), (), ()])


def test_ai_hubs_single_sentences_are_read_with_blank_columns_behind(written):
    corpus = read_corpus([written("단발성.csv", "Sentence,Emotion,,,공포,3\n언제 왔어,놀람,,,놀람,2\n", "cp949")])
    assert (corpus.texts, corpus.raw_labels) == (["언제 왔어"], [("놀람",)])
    assert corpus.files[0].kind == "aihub-sentences"


# -- sheets --------------------------------------------------------------------------------------------------------


def filled_sheet(*rows: tuple[str, str, str, str]) -> str:
    header = [sheet.TEXT, sheet.LABEL, sheet.PREVIOUS, sheet.GUESS, sheet.CONVERSATION]
    lines = [",".join(header)]
    for text, label, previous, conversation in rows:
        lines.append(
            ",".join(
                [sheet.escape_cell(text), label, sheet.escape_cell(previous), "기쁨", sheet.escape_cell(conversation)]
            )
        )
    return "\r\n".join(lines) + "\r\n"


SHEET = filled_sheet(("=SUM(A1)", "분노", "+82 전화", "007"), ("좋네", "", "", ""), ("'그래'", "기쁨", "좋네", "8"))


def test_a_sheet_is_seen_and_its_cells_are_restored(written):
    corpus = read_corpus([written("todo.csv", SHEET, "utf-8-sig")], PREVIOUS)
    assert corpus.texts == ["=SUM(A1)", "좋네", "'그래'"]
    assert corpus.raw_labels == [("분노",), (), ("기쁨",)]
    assert corpus.previous == ["+82 전화", None, "좋네"]
    assert corpus.conversations == ["007", None, "8"]
    assert corpus.files[0].kind == "sheet"


def test_a_sheet_without_context_has_no_previous(written):
    assert read_corpus([written("todo.csv", SHEET, "utf-8-sig")]).previous == [None] * 3


def test_a_sheet_stands_beside_data_with_columns_of_its_own(written):
    first = written("first.csv", "말,느낌\n신난다,기쁨\n")
    options = CorpusOptions(text_column="말", label_column="느낌")
    corpus = read_corpus([first, written("todo.csv", SHEET, "utf-8-sig")], options)
    assert corpus.texts[:2] == ["신난다", "=SUM(A1)"]
    assert [file.kind for file in corpus.files] == ["table", "sheet"]


def test_a_sheet_that_lost_its_previous_column_is_refused_where_it_is_needed(written):
    file = written("todo.csv", f"text,label,{sheet.GUESS}\n그래,기쁨,기쁨\n")
    assert read_corpus([file]).raw_labels == [("기쁨",)]
    with pytest.raises(ColumnError, match="lacks the column 'previous'"):
        read_corpus([file], PREVIOUS)


# -- conversations -------------------------------------------------------------------------------------------------

CHAT = (
    "conversation_id,time,text,label\n"
    "가,3,늦어서 미안,슬픔\n나,1,안녕,일상\n가,2,괜찮아,일상\n나,2,,일상\n가,1,정말이지,분노\n"
    "나,3,잘 가,슬픔\n,4,혼잣말,우울\n"
)


def test_the_utterance_before_is_that_of_the_same_conversation(written):
    corpus = read_corpus([written("chat.csv", CHAT)], PREVIOUS)
    # a blank utterance is nobody's previous one, and has none itself
    assert corpus.previous == [None, None, "늦어서 미안", None, "괜찮아", "안녕", None]
    assert corpus.conversations == ["가", "나", "가", "나", "가", "나", None]


def test_a_time_column_gives_the_order(written):
    options = CorpusOptions(context="previous", time_column="time")
    corpus = read_corpus([written("chat.csv", CHAT.replace(",3,늦", ",10,늦"))], options)
    assert corpus.previous == ["괜찮아", None, "정말이지", None, None, "안녕", None]


def test_times_may_be_dates_or_timestamps_and_those_without_one_come_last(tmp_path, written):
    dated = "room,time,text,label\n1,2026-10-05 12:00,나중,기쁨\n1,,언젠가,기쁨\n1,2026-10-05 09:00,먼저,기쁨\n"
    options = CorpusOptions(context="previous", conversation_column="room", time_column="time")
    assert read_corpus([written("a.csv", dated)], options).previous == ["먼저", "나중", None]
    times = pa.array([20, None, 10], pa.timestamp("s"))
    table = pa.table({"room": [1, 1, 1], "time": times, "text": ["나중", "언젠가", "먼저"], "label": ["기쁨"] * 3})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_corpus([tmp_path / "a.parquet"], options).previous == ["먼저", "나중", None]


def test_the_text_tells_no_conversations_apart(written):
    options = CorpusOptions(context="previous", conversation_column="text")
    with pytest.raises(ColumnError, match="--conversation-column text holds the text"):
        read_corpus([written("d.csv", "text,label\n네,기쁨\n")], options)


def test_conversations_are_known_without_context_too(written):
    corpus = read_corpus([written("chat.csv", CHAT)])
    assert corpus.conversations[:2] == ["가", "나"]
    assert corpus.previous == [None] * 7


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.csv", "text,label\n가,기쁨\n", "--conversation-column"),
        ("a.csv", "text,label,room_id,session_id\n가,기쁨,1,2\n", "room_id, session_id may each"),
        ("a.tsv", "1\t가\t3,4\n", "has no conversations"),
    ],
)
def test_context_without_conversations_is_refused(written, name, text, complaint):
    with pytest.raises(ColumnError, match=complaint) as refusal:
        read_corpus([written(name, text)], PREVIOUS)
    assert "\n" not in str(refusal.value)
    read_corpus([written(name, text)])


def test_a_time_column_that_is_not_there_is_refused(written):
    with pytest.raises(ColumnError, match="no column 'when'"):
        read_corpus([written("a.csv", CHAT)], CorpusOptions(context="previous", time_column="when"))
