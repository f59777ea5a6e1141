"""`emojob score` as a user types it: what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.command_line import one_line


def test_score_labels_a_file_and_prints_the_counts(emojob, log, tmp_path):
    code, out, err = emojob("score", log)
    assert code == 0
    assert "3 read = 2 labelled + 1 empty + 0 rejected" in out
    assert str(tmp_path / "log.emotions") in out
    assert "log.csv: utf-8" in err
    assert len(pq.read_table(tmp_path / "log.emotions")) == 3


def test_the_same_command_again_reports_a_complete_archive(emojob, log):
    emojob("score", log)
    code, out, _ = emojob("score", log)
    assert code == 0
    assert "Already complete" in out


def test_the_commands_that_the_summary_suggests_work(emojob, log, tiny_model):
    _, out, _ = emojob("score", log)
    lines = out.strip().splitlines()
    proposed = [lines[-2].split("next", 1)[1].strip(), lines[-1].strip()]
    python = Path(sys.executable).parent
    for command in proposed:
        environment = {**os.environ, "PATH": f"{python}:{os.environ['PATH']}"}
        done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_quiet_prints_nothing(emojob, log):
    assert emojob("score", log, "--quiet") == (0, "", "")


def test_the_json_log_has_one_object_on_each_line(emojob, log):
    code, out, err = emojob("score", log, "--log-format", "json")
    assert code == 0
    events = [json.loads(line) for line in (err + out).splitlines()]
    assert [one["event"] for one in events] == ["note", "summary"]
    assert events[-1]["counts"]["labelled"] == 2


def test_the_json_log_has_errors_too(emojob, tmp_path):
    code, _, err = emojob("score", tmp_path / "none.parquet", "--log-format", "json")
    assert code == 2
    assert json.loads(err)["event"] == "error"


def test_a_dry_run_writes_nothing(emojob, log, tmp_path):
    code, out, _ = emojob("score", log, "--dry-run")
    assert code == 0
    assert "text column: text" in out
    assert "time about: " in out
    assert sorted(one.name for one in tmp_path.iterdir()) == ["log.csv"]


def test_a_dry_run_reports_complete_rows(emojob, log):
    emojob("score", log)
    code, out, _ = emojob("score", log, "--dry-run")
    assert code == 0
    assert "rows complete: 3" in out
    assert "time about" not in out


def test_a_dry_run_checks_the_model(emojob, log):
    code, _, err = emojob("score", log, "--dry-run", "--model", "no/such/folder/here")
    assert code == 2
    assert "no/such/folder/here" in err


def test_too_many_rejects_end_with_exit_code_3(emojob, log):
    log.write_text("id,text\n1,좋아요\n2,너무,많은\n3,또,많은\n")
    assert emojob("score", log, "--max-rejects", 2)[0] == 0
    assert emojob("score", log, "--max-rejects", 1)[0] == 3
    assert emojob("score", log, "--max-rejects", "50%")[0] == 3
    code, _, err = emojob("score", log)
    assert code == 3
    assert "emojob: 2 of 3 rows are rejected, but --max-rejects auto allows 1; read the reasons in " in err


def test_if_quotes_are_the_reason_of_rejected_rows_then_the_option_is_named(emojob, tmp_path):
    lines = ['"네, 그래요",1', '"네" 라고,2', '"아니",3', '"좋" 아,4']
    (tmp_path / "a.csv").write_text("\n".join(["text,id", *lines]), encoding="utf-8")
    code, _, err = emojob("score", tmp_path / "a.csv")
    assert code == 3
    assert "; if quotes are ordinary characters in it, give --quote none" in err
    assert emojob("score", tmp_path / "a.csv", "--quote", "none")[0] == 0


def test_an_input_of_which_no_row_is_labelled_ends_with_exit_code_3_and_is_named(emojob, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02}.csv").write_text("id,text\n" + "1,좋아요\n" * 10)
    (folder / "07.csv").write_text("id,text\n1,너무,많은\n2,또,많은\n3\n")
    (folder / "08.csv").write_text("id,text\n1,\n2,  \n")
    for more in (["--quiet"], []):  # the second run is already complete
        code, _, err = emojob("score", folder, "-o", out, "--max-rejects", "100%", *more)
        assert code == 3
        assert "emojob: 07.csv: none of 3 rows is labelled: 3 are rejected (3 fields where the header has 2)" in err
        assert str(out / "_emojob/rejects.parquet") in err
        assert ("08.csv: none of 2 rows is labelled, because none has a text" in err) == (not more)
    code, _, err = emojob("score", folder, "-o", out, "--log-format", "json")
    errors = [json.loads(line) for line in err.splitlines() if '"error"' in line]
    assert (errors[0]["message"].split(":")[0], errors[0]["exit_code"]) == ("07.csv", 3)
    (folder / "07.csv").unlink()
    assert emojob("score", folder, "-o", tmp_path / "new.parquet")[0] == 0
    (folder / "07.csv").write_text("id,text\n1,너무,많은\n")
    for _ in range(2):
        code, _, err = emojob("score", folder, "-o", tmp_path / "one.parquet")
        assert (code, str(tmp_path / "one.rejects.parquet") in err) == (3, True)


def test_the_sample_is_labelled_into_the_current_folder(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, _ = emojob("score", "--sample")
    assert code == 0
    assert len(pq.read_table(tmp_path / "shop_chat.emotions")) >= 600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-length", 2], "3 to 512"),
        (["--max-length", 513], "3 to 512"),
        (["--batch-tokens", 0], "--batch-tokens 0"),
        (["--precision", "fp8"], "'fp8'"),
        (["--device", "tpu"], "'tpu'"),
        (["--encoding", "latin-1"], "'latin-1'"),
        (["--limit", 0], "--limit 0"),
        (["--max-rejects", "many"], "'many'"),
        (["--text-column", "nothing"], "nothing"),
        (["--model", "/no/such/model"], "/no/such/model"),
        (["--no-such-option"], "--no-such-option"),
        (
            ["--engine", "ray", "--ray-address", "127.0.0.1:1"],
            "--ray-address 127.0.0.1:1: no Ray cluster answers there",
        ),
        (["--ray-cores", 0], "--ray-cores 0"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(emojob, log, arguments, message):
    code, out, err = emojob("score", log, *arguments)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert len(err.splitlines()) <= 2  # a note on the encoding may come first


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: folder / "missing.parquet",
        lambda folder: folder,
        lambda folder: write(folder / "zero.parquet", b""),
        lambda folder: write(folder / "zero.csv", b""),
        lambda folder: write(folder / "cut.parquet", parquet_bytes(folder)[:-20]),
        lambda folder: write(folder / "no_text.csv", b"a,b\n1,2\n"),
        lambda folder: write(folder / "twice.csv", b"text,text\n1,2\n"),
        lambda folder: write(folder / "numbers.parquet", parquet_bytes(folder, [1, 2])),
        lambda folder: write(folder / "image.png", b"\x89PNG"),
        lambda folder: write(folder / "taken.csv", "text,emotion\n네,x\n".encode()),
    ],
)
def test_a_bad_input_is_one_line_and_exit_code_2_and_leaves_no_output(emojob, tmp_path, make):
    folder = tmp_path / "in"
    folder.mkdir()
    given = make(folder)
    code, out, err = emojob("score", given)
    assert (code, out) == (2, "")
    assert given.name in one_line(err.splitlines(keepends=True)[-1]) or "emotion" in err
    assert not [one.name for one in [*tmp_path.iterdir(), *folder.iterdir()] if one.name.endswith(".emotions")]


def write(file, data):
    file.write_bytes(data)
    return file


def parquet_bytes(folder, texts=("네", "좋아요")) -> bytes:
    file = folder / ".made.parquet"
    pq.write_table(pa.table({"text": list(texts)}), file)
    data = file.read_bytes()
    file.unlink()
    return data


def test_score_finds_the_conversation_column_or_asks_for_it(emojob, log, pair_model, tmp_path):
    code, out, err = emojob("score", log, "--model", pair_model)
    assert (code, out) == (2, "")
    assert "the columns are id, text; choose the column with --conversation-column NAME" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "log.emotions").exists()
    assert emojob("score", log, "--model", pair_model, "--conversation-column", "id")[0] == 0
    assert emojob("score", log, "--model", pair_model, "--context", "none", "--conversation-column", "id")[0] == 2


def test_a_dry_run_with_context_names_the_conversation_column(emojob, log, pair_model):
    options = ("--dry-run", "--model", pair_model, "--conversation-column", "id")
    assert "conversation column: id" in emojob("score", log, *options)[1]


def test_the_summary_and_a_dry_run_name_the_columns_with_a_role(emojob, tmp_path):
    (tmp_path / "a.csv").write_text("room_id,date,time,msg\n1,2026-11-20,10:00,네\n1,2026-11-20,언젠가,네\n")
    for more in (("--dry-run",), ()):
        code, out, _ = emojob("score", tmp_path / "a.csv", *more)
        assert code == 0
        assert "text msg, time date+time, conversation room_id, speaker none (--speaker-column)" in " ".join(
            out.split()
        )
        assert "50% of the times cannot be read: 1 value of the columns date and time is not a time" in " ".join(
            out.split()
        )
        assert "언젠가" not in out
    assert emojob("score", tmp_path / "a.csv", "--time-column", "date")[0] == 0
    out = emojob("score", tmp_path / "a.csv")[1]
    assert "time date, conversation" in " ".join(out.split())
    assert "cannot be read" not in out
    assert emojob("score", tmp_path / "a.csv", "--time-column", "date+when")[0] == 2
