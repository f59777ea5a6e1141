"""Archives of all kinds get drafts: other columns, other labels, several parts, hostile texts, an object store."""

import csv
import re
import zipfile
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.replies.drafts.choosing import Selection
from emojob.pipeline.replies.drafts.job import DraftOptions, draft_replies
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.storage.paths import parse_path
from emojob.pipeline.warehouse.forget import forget
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ConversationOptions, ModelOptions
from tests.archives import table_of, utterance, write_archive, write_part, write_run
from tests.pipeline.replies.drafts.bots import EchoBot, turned_bad
from tests.pipeline.storage.tables import put


@pytest.fixture
def model(tiny_model):
    return ModelOptions(model=str(tiny_model), engine="torch", precision="fp32")


@pytest.fixture
def bucket(store):
    return parse_path(store.bucket())


def draft(out, file, where=None, **options):
    selection = Selection(where, ConversationOptions(**options))
    draft_replies(open_labelled(out), EchoBot(), DraftOptions(file, selection=selection))
    return pq.read_table(file).to_pylist() if file.suffix == ".parquet" else None


def renamed(rows, **names):
    """Return rows with other names of columns; None removes a column."""
    return [{names.get(name, name): value for name, value in row.items() if names.get(name, "") is not None}
            for row in rows]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        ({"sent_at": None}, {}, ("a", 3, None)),
        ({"speaker": None}, {}, ("a", 3, "2026-11-24 00:00:02")),
        ({"conversation_id": "상담번호", "speaker": "화자", "sent_at": "일시"}, {}, ("a", 3, "2026-11-24 00:00:02")),
        ({"conversation_id": "k1", "speaker": "k2"}, {"conversation_column": "k1", "speaker_column": "k2"},
         ("a", 3, "2026-11-24 00:00:02")),
    ],
    ids=["no time", "no speaker", "Korean names", "given names"],
)  # fmt: skip
def test_columns_may_be_missing_or_have_other_names(tmp_path, change, options, expected):
    out = write_archive(tmp_path / "out", renamed(turned_bad("a", "왜 안 와요"), **change), **options)
    (row,) = draft(out, tmp_path / "drafts.parquet")
    said_at = str(row["said_at"]) if row["said_at"] else None
    assert (row["conversation_id"], row["turn"], said_at) == expected
    assert row["draft_1"] == "1: 왜 안 와요 때문에 불편하셨군요."


def test_without_conversations_speakers_and_times_each_matching_text_is_answered(tmp_path):
    rows = [utterance("분노", 0.8, "왜 안 와요"), utterance("기쁨", 0.8, "고마워요")]
    (row,) = draft(write_archive(tmp_path / "out", rows), tmp_path / "drafts.parquet", "emotion = '분노'")
    assert (row["conversation_id"], row["turn"], row["said_at"], row["turns_before"]) == (None, 1, None, None)


def test_conversation_ids_may_be_numbers_or_null(tmp_path):
    rows = [one for number in (7, 8) for one in turned_bad(number, "왜 안 와요", number)]
    alone = utterance("분노", 0.8, "환불해 주세요", conversation_id=None, speaker="고객", sent_at="2026-11-25 00:00:00")
    out = write_archive(tmp_path / "out", [*rows, alone])
    assert [row["conversation_id"] for row in draft(out, tmp_path / "bad.parquet")] == ["7", "8"]
    found = draft(out, tmp_path / "drafts.parquet", "emotion = '분노'")
    assert [(row["conversation_id"], row["text"]) for row in found] == [
        ("7", "왜 안 와요"), ("8", "왜 안 와요"), (None, "환불해 주세요"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("customer", "agent", "line"),
    [("customer", "agent", "상담사: 무엇을"), ("USER", "assistant", "상담사: 무엇을"), ("kim", "lee", "화자: 안녕")],
)
def test_roles_have_korean_and_english_names_or_are_unknown(tmp_path, customer, agent, line):
    rows = [
        {**one, "speaker": {"고객": customer, "상담사": agent}[one["speaker"]]} for one in turned_bad("a", "왜 안 와요")
    ]
    (row,) = draft(write_archive(tmp_path / "out", rows), tmp_path / "drafts.parquet")
    assert row["text"] == "왜 안 와요"
    assert line in row["turns_before"]


def test_labels_of_another_model_get_drafts_if_their_meaning_is_known_or_given(tmp_path):
    labels = ("happy", "angry", "meh")
    said = [("happy", "고객"), ("meh", "상담사"), ("angry", "고객")]
    rows = [
        {"text": f"{label} 글", "emotion": label, "status": "scored", "speaker": who, "conversation_id": "a",
         "probabilities": [0.8 if one == label else 0.1 for one in labels]}
        for label, who in said
    ]  # fmt: skip
    write_part(tmp_path / "out", table_of(rows, "x_", labels))
    out = write_run(tmp_path / "out", "x_")
    (row,) = draft(out, tmp_path / "drafts.parquet", negative=("angry",))
    assert (row["emotion"], row["draft_1"]) == ("angry", "1: angry 글 때문에 불편하셨군요.")
    assert len(draft(out, tmp_path / "others.parquet", "x_emotion = 'happy'")) == 1


def test_conversations_of_several_parts_and_nights(tmp_path):
    first, *rest = turned_bad("a", "왜 안 와요")
    for number, rows in enumerate(([first], rest, turned_bad("b", "환불해 주세요", 1440))):
        write_part(tmp_path / "out", table_of(rows, "", DEFAULT_LABELS), number)
    out = write_run(tmp_path / "out")
    rows = {
        row["conversation_id"]: row for row in draft(out, tmp_path / "drafts.parquet", conversation_scope="archive")
    }
    assert (rows["a"]["turn"], rows["b"]["turn"]) == (3, 3)
    forget(out, "conversation_id = 'a'")
    assert not (tmp_path / "drafts.parquet").exists()
    assert [row["conversation_id"] for row in draft(out, tmp_path / "drafts.parquet")] == ["b"]


def test_a_single_labelled_file_is_an_archive_too(tmp_path, model):
    rows = renamed(turned_bad("a", "왜 안 와요"), emotion=None, status=None, probabilities=None)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    score_dataset([str(tmp_path / "log.parquet")], tmp_path / "log.emotions.parquet", model_options=model)
    out = tmp_path / "log.emotions.parquet"
    (row,) = draft(out, tmp_path / "drafts.parquet", "speaker = '고객'")
    assert (row["text"], row["turn"]) == ("왜 안 와요", 3)
    forget(out, "conversation_id = 'a' AND speaker = '상담사'")
    assert not (tmp_path / "drafts.parquet").exists()


HOSTILE = [
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "줄\n바꿈\r\n\t칸",
    "\x00\x1b[31m빨강\x07",
    "😀👨‍👩‍👧 왜요",
    "가" * 40_000,
    "_x0041_",
    "</t><f>1</f>",
]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_hostile_texts_stay_texts(tmp_path, ending):
    rows = [one for number, text in enumerate(HOSTILE) for one in turned_bad(f"{number}", text, number)]
    file = tmp_path / f"drafts.{ending}"
    draft(write_archive(tmp_path / "out", rows), file)
    draft(tmp_path / "out", tmp_path / "order.parquet")
    order = pq.read_table(tmp_path / "order.parquet")["conversation_id"].to_pylist()
    readers = {"csv": _csv_texts, "xlsx": _xlsx_texts, "parquet": lambda file: pq.read_table(file)["text"].to_pylist()}
    found = dict(zip(order, readers[ending](file), strict=True))
    assert len(found) == len(HOSTILE)
    for number, hostile in enumerate(HOSTILE):
        text = re.sub("[\x00\x07\x1b]", "\ufffd", hostile)
        escaped = f"'{text}" if ending == "csv" and text[0] in "=@" else text
        is_cut = ending == "xlsx" and len(text) > 16_000
        assert _plain(found[f"{number}"]) == _plain(escaped[:16_000] + "…" if is_cut else escaped)


def _plain(text):
    return text.replace("\r\n", "\n")


def _csv_texts(file):
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return [row["text"] for row in csv.DictReader(stream)]


def _xlsx_texts(file):
    with zipfile.ZipFile(file) as packed:
        sheet = ElementTree.fromstring(packed.read("xl/worksheets/sheet1.xml"))
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    assert not list(sheet.iter(f"{main}f"))
    cells = [cell for cell in sheet.iter(f"{main}c") if re.fullmatch(r"D\d+", cell.get("r", ""))][1:]
    texts = ["".join(part.text or "" for part in cell.iter(f"{main}t")) for cell in cells]
    return [re.sub(r"_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text) for text in texts]


def test_too_many_rows_for_a_workbook_are_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("emojob.pipeline.replies.drafts.draft_file.MOST_ROWS", 1)
    rows = [one for number in range(2) for one in turned_bad(f"{number}", "왜 안 와요", number)]
    out = write_archive(tmp_path / "out", rows)
    with pytest.raises(OptionError, match=r"2 conversations do not fit.*\.csv"):
        draft(out, tmp_path / "drafts.xlsx")
    assert {file.name for file in tmp_path.iterdir()} == {"out"}


@pytest.mark.slow
def test_an_archive_in_an_object_store_gets_drafts_and_forgets_them(bucket, model, tmp_path):
    rows = renamed(turned_bad("a", "왜 안 와요"), emotion=None, status=None, probabilities=None)
    log = put(bucket / "log.parquet", pa.Table.from_pylist(rows))
    score_dataset([str(log)], bucket / "out", model_options=model)
    (row,) = draft(bucket / "out", tmp_path / "drafts.parquet", "speaker = '고객'")
    assert row["text"] == "왜 안 와요"
    assert not (tmp_path / ".drafts.parquet.parts").exists()
    forget(bucket / "out", "speaker = '상담사'")
    assert not (tmp_path / "drafts.parquet").exists()
