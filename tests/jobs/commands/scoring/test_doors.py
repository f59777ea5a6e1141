"""`emojob score` reads the files in which dialogue arrives, and says what it does not read."""

import csv
import datetime
import json
import shlex
import subprocess
import sys
import zipfile

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.data.test_workbooks import write_xlsx

SAID = ["고마워요", "왜 안 와요"]


def rows(out) -> pl.DataFrame:
    return pl.read_parquet(f"{out}/*.parquet")


def slack_export(folder) -> dict[str, str]:
    message = {"type": "message", "text": "고마워요 <@U2>", "user": "U1", "ts": "1795000000.000100"}
    files = {
        "users.json": [{"id": "U1", "real_name": "이두리"}, {"id": "U2", "name": "hana"}],
        "channels.json": [{"id": "C1", "name": "문의"}],
        "문의/2026-11-20.json": [message, message | {"user": "U2", "text": "네"}],
        "문의/2026-11-21.json": [message | {"text": "화가 나요", "ts": "1795080000.000100"}],
    }
    found = {name: json.dumps(value, ensure_ascii=False) for name, value in files.items()}
    for name, text in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return found


@pytest.mark.parametrize("packed", ["folder", "zip", "zip with a folder"])
def test_a_slack_export_is_scored_by_naming_it(emojob, tmp_path, packed):
    files = slack_export(tmp_path / "회사 Slack export")
    given = tmp_path / "회사 Slack export"
    if packed != "folder":
        given = tmp_path / "export.zip"
        with zipfile.ZipFile(given, "w") as out:
            for name, text in files.items():
                out.writestr(f"export/{name}" if packed == "zip with a folder" else name, text)
    code, _, err = emojob("score", given, "-o", tmp_path / "out")
    assert code == 0, err
    assert "2 files are passed over: " in err
    assert "channels.json (a list of Slack's, without messages)" in err
    found = rows(tmp_path / "out").sort("sent_at", "turn")
    assert found["text"].to_list() == ["고마워요 @hana", "네", "화가 나요"]
    assert found["speaker"].to_list() == ["이두리", "hana", "이두리"]
    assert found["conversation_id"].n_unique() == 2


def test_a_workbook_gives_the_sheets_with_a_text_column(emojob, tmp_path):
    sheets = {
        "안내": [["만든이"], ["팀"]],
        "1월": [["상담 이력"], [], ["번호", "상담내용", "등록일"], [1, "고마워요", 46346.5], [2, "왜 안 와요", 46347]],
        "2월": [["번호", "상담내용", "등록일"], [3, "네", 46348.25]],
    }
    write_xlsx(tmp_path / "calls.xlsx", sheets)
    code, _, err = emojob("score", tmp_path / "calls.xlsx")
    assert code == 0, err
    assert "1 sheet is passed over: calls.xlsx/안내 (a sheet without a text column)" in err
    assert "'등록일' holds Excel's day numbers, which are read as times" in err
    found = rows(tmp_path / "calls.emotions")
    assert found["상담내용"].to_list() == ["고마워요", "왜 안 와요", "네"]
    assert found["번호"].to_list() == ["1", "2", "3"]
    assert found["등록일"].to_list() == [
        datetime.datetime(2026, 11, 20, 12), datetime.datetime(2026, 11, 21), datetime.datetime(2026, 11, 22, 6)
    ]  # fmt: skip
    code, _, err = emojob("score", tmp_path / "calls.xlsx", "--sheet", "2월", "-o", tmp_path / "february")
    assert code == 0, err
    assert rows(tmp_path / "february")["상담내용"].to_list() == ["네"]
    code, _, err = emojob("score", tmp_path / "calls.xlsx", "--sheet", "3월")
    assert (code, "has no sheet '3월'; its sheets are 안내, 1월, 2월" in err) == (2, True)


def test_a_folder_of_chats_in_json_is_one_archive_and_resumes(emojob, tmp_path):
    folder = tmp_path / "conv"
    folder.mkdir()
    for number in range(3):
        turns = [{"speaker": "가", "text": text} for text in SAID]
        about = {"info": {"id": f"c{number}"}, "utterances": turns}
        (folder / f"{number}.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
    assert emojob("score", folder, "--limit", "3")[0] == 0
    code, _, err = emojob("score", folder)
    assert code == 0, err
    assert "0.json and 2 more: one row for each item of utterances" in err
    found = rows(tmp_path / "conv.emotions").sort("conversation_id", "turn")
    assert found["text"].to_list() == SAID * 3
    assert found["conversation_id"].to_list() == ["c0", "c0", "c1", "c1", "c2", "c2"]


def test_turns_of_another_column_are_labelled_again(emojob, tmp_path):
    talks = {"messages": [[{"content": "고마워요"}]], "talk": [[{"content": "왜 안 와요"}, {"content": "네"}]]}
    pq.write_table(pa.table(talks), tmp_path / "a.parquet")
    code, _, err = emojob("score", tmp_path / "a.parquet")
    assert (code, "choose the column with --explode NAME" in err) == (2, True)
    assert emojob("score", tmp_path / "a.parquet", "--explode", "messages")[0] == 0
    assert rows(tmp_path / "a.emotions")["text"].to_list() == ["고마워요"]
    assert emojob("score", tmp_path / "a.parquet", "--explode", "talk")[0] == 0
    assert rows(tmp_path / "a.emotions")["text"].to_list() == ["왜 안 와요", "네"]


def test_equal_contents_are_named_also_if_one_is_compressed(emojob, tmp_path):
    import gzip

    folder = tmp_path / "logs"
    folder.mkdir()
    data = "text\n고마워요\n".encode()
    (folder / "a.csv").write_bytes(data)
    (folder / "a.csv.gz").write_bytes(gzip.compress(data))
    code, _, err = emojob("score", folder)
    assert code == 0
    assert "a.csv has the same contents as a.csv.gz: each of its rows is counted 2 times" in err


def test_equal_contents_of_files_with_one_name_are_told_apart_by_their_folders(emojob, tmp_path):
    for folder in ("일월", "이월"):
        (tmp_path / "logs" / folder).mkdir(parents=True)
        (tmp_path / "logs" / folder / "a.csv").write_text("text\n고마워요\n", encoding="utf-8")
    code, _, err = emojob("score", tmp_path / "logs")
    assert code == 0
    assert "이월/a.csv has the same contents as 일월/a.csv" in err


def test_a_whatsapp_export_in_a_folder_is_read_although_its_name_is_hidden(emojob, tmp_path):
    folder = tmp_path / "WhatsApp Chat - 이두리"
    folder.mkdir()
    chat = "[20/11/26, 15:10:11] 이두리: 고마워요\n[21/11/26, 15:10:11] 김하나: 네\n"
    (folder / "_chat.txt").write_text(chat, encoding="utf-8")
    code, _, err = emojob("score", folder, "-o", tmp_path / "out")
    assert code == 0, err
    assert rows(tmp_path / "out")["text"].to_list() == ["고마워요", "네"]
    with zipfile.ZipFile(tmp_path / "WhatsApp Chat - 이두리.zip", "w") as packed:
        packed.writestr("_chat.txt", chat)
    code, _, err = emojob("score", tmp_path / "WhatsApp Chat - 이두리.zip", "-o", tmp_path / "zip")
    assert code == 0, err
    assert rows(tmp_path / "zip")["conversation_id"].to_list() == ["이두리"] * 2


def test_train_reads_what_score_reads(emojob, tmp_path):
    turns = [
        {"role": "user", "content": text, "label": label} for text, label in zip(SAID, ("기쁨", "분노"), strict=True)
    ]
    (tmp_path / "a.json").write_text(json.dumps([{"id": "c", "messages": turns * 3}], ensure_ascii=False, indent=1))
    code, out, err = emojob("evaluate", "--model", "default", "--data", tmp_path / "a.json")
    assert code == 0, err
    assert "6" in out


def test_days_and_times_of_day_of_a_workbook_are_one_time(emojob, tmp_path):
    """Excel stores a day as a number of days, and a time of day as a part of a day."""
    table = [["날짜", "시간", "내용"], [46346, 0.420138888888889, SAID[0]], [46347, 0.75, SAID[1]]]
    write_xlsx(tmp_path / "a.xlsx", {"하나": table})
    code, out, _ = emojob("score", tmp_path / "a.xlsx")
    assert (code, "time 날짜+시간" in out, "cannot be read" in out) == (0, True, False)
    query = "SELECT said_at::VARCHAR AS said FROM labelled ORDER BY said"
    found = json.loads(emojob("sql", tmp_path / "a.emotions", query, "--format", "json")[1])
    assert [row["said"] for row in found] == ["2026-11-20 10:05:00", "2026-11-21 18:00:00"]
    write_xlsx(tmp_path / "b.xlsx", {"하나": [["시간", "내용"], [0.420138888888889, SAID[0]]]})
    out = " ".join(emojob("score", tmp_path / "b.xlsx")[1].split())
    assert "100% of the times cannot be read: 1 value of the column 시간 is not a time" in out


def test_a_day_of_a_slack_export_is_read_with_the_names_beside_it(emojob, tmp_path):
    slack_export(tmp_path / "export")
    code, _, err = emojob("score", tmp_path / "export" / "문의" / "2026-11-20.json", "-o", tmp_path / "out")
    assert code == 0, err
    assert rows(tmp_path / "out")["speaker"].to_list() == ["이두리", "hana"]


def test_json_in_a_text_file_is_read_as_json(emojob, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text('{"text": "좋아요"}\n{"text": "싫어요"}\n', encoding="utf-8")
    (folder / "b.txt").write_text('[{"text": "좋아요"},\n{"text": "별로"}]', encoding="utf-8")
    (folder / "c.csv").write_text("text\n가나다\n", encoding="utf-8")
    code, out, _ = emojob("score", folder, "-o", tmp_path / "out")
    assert (code, "5 read = 5 labelled" in out) == (0, True)
    assert emojob("score", folder / "a.txt", "-o", tmp_path / "one")[0] == 0
    code, _, err = emojob("score", folder / "a.txt", "--format", "csv", "-o", tmp_path / "two")
    assert (code, "give --format jsonl" in err) == (2, True)


@pytest.mark.parametrize(("name", "encoding", "delimiter"), [
    ("대화 1.csv", "utf-8", ","), ("a.tsv", "cp949", "\t"), ("a.parquet", "", ""),
])  # fmt: skip
def test_turns_as_json_in_a_column_of_texts_are_named_and_the_command_converts_them(
    emojob, tmp_path, name, encoding, delimiter
):
    rows = [{"id": str(i), "messages": json.dumps([{"role": "고객", "content": f"질문 {i}"}] * 2)} for i in range(3)]
    file = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        with file.open("w", encoding=encoding, newline="") as stream:
            writer = csv.DictWriter(stream, ["id", "messages", "비고"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows([{**row, "비고": "없음"} for row in rows])
    _, _, err = emojob("score", file)
    assert "if 'messages' holds lists of turns as JSON, give --explode 'messages'" in err
    assert "the texts in 'messages' are JSON" in emojob("score", file, "--text-column", "messages")[2]
    code, _, err = emojob("score", file, "--explode", "messages")
    command, _, then = err.partition("to label each turn, run ")[2].partition(" and then emojob ")
    subprocess.run(command.replace("python", shlex.quote(sys.executable), 1), shell=True, check=True)
    assert code == 2
    code, out, _ = emojob(*shlex.split(then))
    assert (code, "6 read = 6 labelled" in out) == (0, True)
