"""Utterances worth annotating are selected from a labelled archive."""

import json
import random
import unicodedata
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.active_learning import margins
from emojob.pipeline.active_learning.selection import choose
from emojob.pipeline.output import labelled_archive
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.schemas.errors import DataError, OptionError, OutputError
from tests.archives import LABELS, row, table_of, write_part, write_run

WORDS = [
    "바람",
    "시계",
    "우산",
    "편지",
    "기차",
    "사과",
    "연필",
    "구름",
    "공원",
    "의자",
    "노래",
    "바다",
    "창문",
    "커피",
    "신발",
    "저녁",
    "가방",
    "고양이",
    "도서관",
    "자전거",
]
SYLLABLES = [chr(code) for code in range(ord("가"), ord("힣"), 31)]


def varied(count: int) -> list[str]:
    """Return texts of random syllables, always the same; they share few characters."""
    chance = random.Random(4)
    return [" ".join("".join(chance.choices(SYLLABLES, k=3)) for _ in range(4)) for _ in range(count)]


@pytest.fixture
def archive(tmp_path):
    """archive(rows, **options): the path of a labelled archive with one part."""

    def make(rows: list[dict], **options: object) -> Path:
        write_part(tmp_path / "out", table_of(rows))
        return write_run(tmp_path / "out", **options)

    return make


def chosen(out: Path, wanted: int) -> list[str]:
    return [one.text for one in choose(open_labelled(out), wanted).utterances]


# -- selection --------------------------------------------------------------------------------------------------------


def test_utterances_with_the_lowest_margins_are_selected(archive):
    texts = varied(120)
    rows = [row(text, margin=0.02 if i % 6 == 0 else 0.85) for i, text in enumerate(texts)]
    assert set(chosen(archive(rows), 20)) == set(texts[::6])


def test_an_utterance_has_the_labels_and_probabilities_of_the_model(archive):
    found = choose(open_labelled(archive([row("뭐라고요?", margin=0.1, guess=1), row("네네")])), 2)
    one = next(one for one in found.utterances if one.text == "뭐라고요?")
    assert (one.guess, one.second, one.times, one.previous) == ("분노", "일상", 1, None)
    assert one.confidence == pytest.approx(0.5)
    assert one.margin == pytest.approx(0.1)
    assert (found.rows, found.texts, found.left_out) == (2, 2, 0)


def test_a_repeated_text_is_selected_once_with_its_count(archive):
    decomposed = unicodedata.normalize("NFD", "잘 모르겠어요")
    rows = [row(text) for text in ["잘 모르겠어요", "  잘\u3000\n모르겠어요 ", decomposed, "잘 모르겠어요"]]
    found = choose(open_labelled(archive([*rows, row("전혀 다른 말")])), 5)
    assert {one.text: one.times for one in found.utterances} == {"잘 모르겠어요": 4, "전혀 다른 말": 1}
    assert found.texts == 2


def test_a_repeated_text_has_the_values_of_its_row_with_the_lowest_margin(archive):
    rows = [
        row("그러게요", margin=0.8, turn=0),
        row("그러게요", margin=0.1, guess=2, turn=1),
        row("그러게요", margin=0.5, turn=2),
    ]
    (one,) = choose(open_labelled(archive(rows, time_column="turn")), 5).utterances
    assert (one.guess, one.margin, one.time) == ("기쁨", pytest.approx(0.1), "1")


@pytest.mark.parametrize(
    "copy", ["주문 {0}번 언제 도착하는지 알려 주세요", "{1} 고객님 주문하신 상품이 언제 도착하는지 알려 주세요"]
)
def test_near_copies_do_not_fill_the_sheet(archive, copy):
    copies = [copy.format(i, WORDS[i % 20] + WORDS[i // 20 % 20]) for i in range(4000)]
    others = varied(60)
    out = archive([row(text) for text in copies] + [row(text, margin=0.3) for text in others])
    found = chosen(out, 30)
    assert len(set(found)) == 30
    assert sum(text in copies for text in found) <= 2


def test_near_copies_are_selected_if_there_are_no_other_texts(archive):
    out = archive([row(f"오늘은 {i}번째로 힘든 날이에요") for i in range(100)])
    assert len(set(chosen(out, 40))) == 40


def test_all_guessed_labels_are_in_the_sheet(archive):
    guesses = [0] * 240 + [1] * 30 + [2] * 30
    out = archive([row(text, 0.05, guess) for text, guess in zip(varied(300), guesses, strict=True)])
    found = choose(open_labelled(out), 30).utterances
    assert all(sum(one.guess == label for one in found) >= 6 for label in LABELS)


def test_empty_short_and_long_texts_are_left_out(archive):
    short = ["네", "ㅋㅋㅋㅋ", "ㅠㅠ", "!!!", "12 34", "A"]
    rows = [row("알겠어요", status="truncated"), row(None, status="empty"), row("  ", status="empty")]
    rows += [row(text) for text in [*short, "길" * 1001]]
    found = choose(open_labelled(archive(rows)), 9)
    assert [one.text for one in found.utterances] == ["알겠어요"]
    assert (found.rows, found.left_out, found.texts) == (8, 7, 1)


def test_the_selection_only_depends_on_the_archive(archive, monkeypatch):
    rng = np.random.default_rng(4)
    out = archive(
        [row(text, float(m), i % 3) for i, (text, m) in enumerate(zip(varied(400) * 2, rng.random(800), strict=True))]
    )
    before = choose(open_labelled(out), 25)
    monkeypatch.setattr(labelled_archive, "_BATCH_ROWS", 7)
    monkeypatch.setattr(margins, "cores", lambda: 3)
    assert choose(open_labelled(out), 25) == before


def test_a_model_of_one_label_has_no_margin(tmp_path):
    rows = [{**row(text), "probabilities": [1.0]} for text in varied(5)]
    write_part(tmp_path, table_of(rows, labels=("일상",)))
    found = choose(open_labelled(write_run(tmp_path)), 3).utterances
    assert [(one.second, one.margin) for one in found] == [(None, 1.0)] * 3


# -- previous utterance ------------------------------------------------------------------------------------------------


def test_the_previous_text_is_from_the_same_conversation_across_parts(tmp_path):
    def said(conversation, text, margin=0.9):
        status = "scored" if text else "empty"
        return row(text, margin, status=status, room=conversation, at="2026-11-21 10:00")

    first = [said(7, "주문한 게 안 왔어요"), said(8, "여보세요"), said(7, " "), said(None, "어느 방도 아님", 0.0)]
    second = [said(8, "거기 꽃집이죠", 0.0), said(7, "확인해\n드릴게요", 0.0), said(7, "빨리 좀 해줘요", 0.0)]
    write_part(tmp_path, table_of(first))
    write_part(tmp_path, table_of(second), first_row=4)
    write_part(tmp_path, table_of([said(7, "다른 파일의 같은 번호", 0.0)]), number=1)
    out = write_run(tmp_path, conversation_column="room", time_column="at")
    found = {one.text: one for one in choose(open_labelled(out), 9).utterances}
    assert {text: one.previous for text, one in found.items()} == {
        "주문한 게 안 왔어요": None,
        "여보세요": None,
        "어느 방도 아님": None,
        "거기 꽃집이죠": "여보세요",
        "확인해 드릴게요": "주문한 게 안 왔어요",
        "빨리 좀 해줘요": "확인해 드릴게요",
        "다른 파일의 같은 번호": None,
    }
    assert (found["빨리 좀 해줘요"].conversation, found["빨리 좀 해줘요"].time) == ("7", "2026-11-21 10:00")


def test_a_part_without_the_conversation_column_is_read(tmp_path):
    write_part(tmp_path, table_of([row("방 번호가 없던 때")]))
    write_part(tmp_path, table_of([row("이제는 있어요", room="r1"), row("그렇군요", room="r1")]), number=1)
    found = choose(open_labelled(write_run(tmp_path, conversation_column="room")), 3).utterances
    assert {one.conversation for one in found} == {None, "r1"}
    assert {one.previous for one in found} == {None, "이제는 있어요"}


def test_a_day_and_a_time_of_day_in_digits_become_one_time(archive):
    rows = [
        row("주문한 게 안 왔어요", day="20261109", clock="152807"),
        row("확인해 드릴게요", day="?", clock=""),
    ]
    found = choose(open_labelled(archive(rows, time_column="day+clock")), 2).utterances
    assert {one.text: one.time for one in found} == {
        "주문한 게 안 왔어요": "2026-11-09 15:28:07",
        "확인해 드릴게요": "?",
    }


def test_conversations_and_times_of_other_types_than_string(archive):
    at = datetime(2026, 11, 21, 10, 30, 5, 999)
    rows = [row("하나도 안 맞아요", room=[1, 2], at=at), row("그건 왜죠", room=[1, 2], at=None)]
    found = choose(open_labelled(archive(rows, conversation_column="room", time_column="at")), 2).utterances
    assert {(one.text, one.previous, one.conversation, one.time) for one in found} == {
        ("하나도 안 맞아요", None, "[1, 2]", "2026-11-21 10:30:05.000999"),
        ("그건 왜죠", "하나도 안 맞아요", "[1, 2]", None),
    }


# -- archives ----------------------------------------------------------------------------------------------------------


def test_only_complete_parts_are_read(archive, tmp_path):
    out = archive([row("다 된 부분")])
    unmarked = write_part(out, table_of([row("표시가 없는 부분")]), first_row=1)
    (out / "_emojob" / "parts" / f"{unmarked.stem}.json").unlink()
    cut = write_part(out, table_of([row("잘린 부분")]), first_row=2)
    cut.write_bytes(cut.read_bytes()[:-9])
    assert chosen(out, 9) == ["다 된 부분"]


def test_label_columns_with_a_prefix_beside_columns_of_the_input(tmp_path):
    rows = [row("어느 쪽일까", 0.2, guess=1, prob_남의것=0.5, confidence="높음", emotion_status="?")]
    write_part(tmp_path, table_of(rows, prefix="new_"))
    (one,) = choose(open_labelled(write_run(tmp_path, prefix="new_")), 1).utterances
    assert (one.guess, one.second) == ("분노", "일상")


def test_a_single_labelled_file(tmp_path):
    about = {"format": 1, "fingerprint": "tiny", "run": {"text_column": "text", "prefix": "", "options": {}}}
    table = table_of([row(text) for text in varied(8)])
    pq.write_table(table.replace_schema_metadata({"emojob": json.dumps(about)}), tmp_path / "x.parquet")
    assert len(chosen(tmp_path / "x.parquet", 5)) == 5


def test_a_folder_whose_name_is_a_pattern(tmp_path):
    out = tmp_path / "day=1" / "logs[1]*"
    write_part(out, table_of([row("이름이 이상한 곳")]))
    assert chosen(write_run(out), 1) == ["이름이 이상한 곳"]


def test_texts_with_invalid_utf_8_are_read(tmp_path):
    table = table_of([row("깨진 글자가 있어요"), row("깨진 곳이 없네요")])
    spoilt = pa.array(["깨진 글자가 있어요".encode()[:-1], "깨진 곳이 없네요".encode()], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 2, spoilt.buffers())
    write_part(tmp_path, table.set_column(table.schema.get_field_index("text"), "text", texts))
    assert set(chosen(write_run(tmp_path), 2)) == {"깨진 글자가 있어\ufffd", "깨진 곳이 없네요"}


def test_other_files_and_folders_are_refused(tmp_path, archive):
    pq.write_table(pa.table({"text": ["라벨이 없어요"]}), tmp_path / "raw.parquet")
    (tmp_path / "note.csv").write_text("text\n")
    (tmp_path / "folder").mkdir()
    for name in ("raw.parquet", "note.csv", "folder", "nowhere"):
        with pytest.raises(OutputError, match="emojob score"):
            open_labelled(tmp_path / name)
    out = archive([row("괜찮아요")])
    (out / "_emojob" / "run.json").unlink()
    with pytest.raises(OutputError, match=r"run\.json"):
        open_labelled(out)


def test_invalid_column_names_in_run_json_are_ignored(archive):
    out = archive([row("괜찮아요")])
    write_run(out, conversation_column=["a"], time_column=5)
    assert [one.text for one in choose(open_labelled(out), 1).utterances] == ["괜찮아요"]


def test_an_archive_without_a_complete_part_is_refused(tmp_path):
    (tmp_path / "_emojob" / "parts").mkdir(parents=True)
    with pytest.raises(OutputError, match="no labelled rows"):
        open_labelled(tmp_path)


def test_an_archive_without_a_suitable_text_is_refused(archive):
    with pytest.raises(DataError, match="each of the 2 labelled rows has fewer than two letters"):
        chosen(archive([row("네"), row("ㅋㅋ")]), 5)


def test_an_archive_of_empty_rows_is_refused(archive):
    with pytest.raises(DataError, match="no row has the status"):
        chosen(archive([row(None, status="empty")]), 5)


def test_the_error_names_a_damaged_part(archive):
    out = archive([row(text) for text in varied(200)])
    (part,) = out.glob("part-*.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(DataError, match=part.name) as error:
        chosen(out, 5)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wanted", [0, -3, 10_001])
def test_a_number_out_of_range_is_refused(archive, wanted):
    with pytest.raises(OptionError, match="--uncertain"):
        chosen(archive([row("괜찮아요")]), wanted)
