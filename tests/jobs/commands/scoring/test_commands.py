"""The commands as a user types them: what they print, and the exit code each mistake ends in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from emojob.jobs.main import cli, main
from emojob.schemas.options import ModelOptions


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("id,text\n1,정말 기뻐요\n2,\n3,왜 아직도 안 와요\n")
    return file


def one_line(err: str) -> str:
    assert err.count("\n") == 1, err
    assert err.startswith("emojob: ")
    return err


def test_score_labels_a_file_and_says_what_came_of_it(emojob, log, tmp_path):
    code, out, err = emojob("score", log)
    assert code == 0
    assert "3 read = 2 labelled + 1 empty + 0 rejected" in out
    assert str(tmp_path / "log.emotions") in out
    assert "log.csv: utf-8" in err
    assert len(pq.read_table(tmp_path / "log.emotions")) == 3


def test_the_same_command_again_says_that_all_is_done(emojob, log):
    emojob("score", log)
    code, out, _ = emojob("score", log)
    assert code == 0
    assert "Already complete" in out


def test_the_commands_that_the_summary_proposes_work(emojob, log, tiny_model):
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


def test_json_log_is_one_object_a_line(emojob, log):
    code, out, err = emojob("score", log, "--log-format", "json")
    assert code == 0
    events = [json.loads(line) for line in (err + out).splitlines()]
    assert [one["event"] for one in events] == ["note", "summary"]
    assert events[-1]["counts"]["labelled"] == 2


def test_an_error_is_json_too_where_the_log_is(emojob, tmp_path):
    code, _, err = emojob("score", tmp_path / "none.parquet", "--log-format", "json")
    assert code == 2
    assert json.loads(err)["event"] == "error"


def test_a_dry_run_writes_nothing(emojob, log, tmp_path):
    code, out, _ = emojob("score", log, "--dry-run")
    assert code == 0
    assert "text column: text" in out
    assert "time about: " in out
    assert sorted(one.name for one in tmp_path.iterdir()) == ["log.csv"]


def test_a_dry_run_of_what_is_complete_says_so(emojob, log):
    emojob("score", log)
    code, out, _ = emojob("score", log, "--dry-run")
    assert code == 0
    assert "rows complete: 3" in out
    assert "time about" not in out


def test_a_dry_run_looks_at_the_model(emojob, log):
    code, _, err = emojob("score", log, "--dry-run", "--model", "no/such/folder/here")
    assert code == 2
    assert "no/such/folder/here" in err


def test_more_rejects_than_allowed_end_in_3(emojob, log):
    log.write_text("id,text\n1,좋아요\n2,너무,많은\n3,또,많은\n")
    assert emojob("score", log, "--max-rejects", 2)[0] == 0
    assert emojob("score", log, "--max-rejects", 1)[0] == 3
    assert emojob("score", log, "--max-rejects", "50%")[0] == 3


def test_the_sample_is_labelled_where_one_stands(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, _ = emojob("score", "--sample")
    assert code == 0
    assert len(pq.read_table(tmp_path / "shop_chat.emotions")) >= 600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-length", 2], "3 to 512"),
        (["--max-length", 513], "3 to 512"),
        (["--batch-tokens", 0], "--batch-tokens 0"),
        (["--precision", "fp8"], "'fp8'"),
        (["--device", "tpu"], "'tpu'"),
        (["--encoding", "utf-16"], "'utf-16'"),
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
def test_a_wrong_option_is_one_line_and_2(emojob, log, arguments, said):
    code, out, err = emojob("score", log, *arguments)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert len(err.splitlines()) <= 2  # the encoding may have been said before


@pytest.mark.parametrize("name", ["가" * 90, "가/" * 1_500, "nowhere/x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "{log}", "-o", "{out}x", "--quiet", "--model", "{name}"),
        ("score", "{log}", "-o", "{out}x", "--quiet", "--memo", "{name}"),
        ("score", "{log}", "-o", "{out}x", "--quiet", "--calibration", "{name}.csv"),
        ("forget", "{name}", "--where", "1 = 1"),
        ("report", "{out}", "--json", "{name}"),
        ("report", "{out}", "--html", "{name}"),
        ("sql", "{out}", "SELECT 1", "--format", "csv", "-o", "{name}"),
        ("sql", "{out}", "--export", "{name}"),
        ("sample", "{out}", "--uncertain", "1", "-o", "{name}"),
        ("nightly", "{name}", "--init"),
        ("bench", "--json", "{name}"),
        ("evaluate", "{log}", "--json", "{name}"),
        ("train", "{name}", "-o", "{out}/model"),
    ],
)
def test_a_name_under_which_nothing_can_be_is_one_line_and_2(emojob, labelled, arguments, name):
    log, out = labelled
    before = sorted(out.rglob("*"))
    code, said, err = emojob(*(one.format(log=log, out=out, name=name) for one in arguments))
    assert (code, said) == (2, "")
    one_line(err)
    assert sorted(out.rglob("*")) == before


@pytest.fixture(scope="module")
def labelled(tiny_model, tmp_path_factory):
    """(an archive, what came of it)."""
    folder = tmp_path_factory.mktemp("labelled")
    log, out = folder / "log.csv", folder / "out"
    log.write_text("text\n네\n좋아요\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["score", str(log), "-o", str(out), "--model", str(tiny_model), "--quiet"])
    return log, out


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
def test_bad_input_is_one_line_and_2_and_leaves_nothing(emojob, tmp_path, make):
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


def test_predict_prints_one_line_a_text(emojob):
    code, out, _ = emojob("predict", "기뻐요", "", "이상한 \x1b[31m글\n두 줄 \u202e반대")
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 3
    assert lines[0].endswith("기뻐요")
    assert "no text" in lines[1]
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_predict_gives_all_probabilities_as_json(emojob):
    _, out, _ = emojob("predict", "--json", "기뻐요", "")
    first, second = map(json.loads, out.splitlines())
    assert first["emotion"] == max(first["probabilities"], key=first["probabilities"].get)
    assert abs(sum(first["probabilities"].values()) - 1) < 1e-4
    assert second["emotion"] is None


def test_predict_is_as_exact_as_stock_transformers_unless_told_otherwise(emojob):
    as_it_comes, exact, _ = (
        emojob("predict", "--json", *given, "기뻐요", "걱정돼요 정말")[1]
        for given in ([], ["--precision", "fp32"], ["--precision", "bf16"])
    )
    assert as_it_comes == exact


def test_predict_reads_standard_input(tiny_model):
    result = CliRunner().invoke(cli, ["predict", "--model", str(tiny_model)], input="하나\r\n둘\n셋")
    assert [line.split("  ")[-1] for line in result.output.splitlines()] == ["하나", "둘", "셋"]


@pytest.fixture(scope="module")
def pair_model(make_model):
    """A model that was trained to read the previous utterance as well."""
    return make_model(emojob_context="previous")


def test_predict_takes_each_text_alone_and_a_dialogue_where_it_is_said(emojob, pair_model, monkeypatch):
    import io

    from emojob.pipeline.inference.scorer import Scorer

    def shown(*arguments):
        code, out, _ = emojob("predict", "--model", pair_model, "--precision", "fp32", "--json", *arguments)
        assert code == 0
        return [list((json.loads(line)["probabilities"] or {}).values()) for line in out.splitlines()]

    texts = ["왜 아직도 안 와요", "", "죄송합니다", "네"]
    scorer = Scorer.load(str(pair_model), ModelOptions(precision="fp32"))
    alone = scorer.score(texts).probabilities.tolist()
    behind = scorer.score(texts, [None, None, texts[0], texts[2]]).probabilities.tolist()
    for got, expected in ((shown(*texts), alone), (shown("--dialogue", *texts), behind)):
        assert [pytest.approx(one, abs=1e-5) for one in got] == [
            one if text else [] for one, text in zip(expected, texts, strict=True)
        ]
    monkeypatch.setattr("emojob.jobs.commands.scoring.predict._BLOCK_LINES", 3)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(texts)))
    assert shown("--dialogue")[3] == pytest.approx(behind[3], abs=1e-5)


def test_a_dialogue_is_nothing_for_a_model_without_context(emojob):
    code, _, err = emojob("predict", "--dialogue", "네")
    assert code == 2
    assert "trained with the context 'none'" in one_line(err)


def test_score_finds_the_conversations_or_asks_for_them(emojob, log, pair_model, tmp_path):
    code, out, err = emojob("score", log, "--model", pair_model)
    assert (code, out) == (2, "")
    assert "the columns are id, text; say which column identifies conversations: --conversation-column NAME" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "log.emotions").exists()
    assert emojob("score", log, "--model", pair_model, "--conversation-column", "id")[0] == 0
    assert emojob("score", log, "--model", pair_model, "--context", "none", "--conversation-column", "id")[0] == 2


def test_a_dry_run_in_context_names_the_conversation_column(emojob, log, pair_model):
    options = ("--dry-run", "--model", pair_model, "--conversation-column", "id")
    assert "conversation column: id" in emojob("score", log, *options)[1]


def test_doctor_says_what_would_be_used_and_why(emojob):
    code, out, _ = emojob("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["engine"].startswith("torch on ")
    assert found["why"]


def test_bench_measures_the_whole_job(emojob, tmp_path):
    file = tmp_path / "figures.json"
    code, out, _ = emojob("bench", "--rows", 300, "--json", file)
    figures = json.loads(file.read_text())
    assert code == 0
    assert figures["rows"] == 300
    assert figures["rows_per_second"] > 0
    assert 0 <= figures["padding_share"] < 0.03
    assert set(figures["stage_seconds"]) == {"read", "tokenize", "infer", "label", "write"}
    assert " rows/s" in out
    assert "engine alone" in out


def test_every_option_has_an_environment_variable(emojob, log, monkeypatch):
    monkeypatch.setenv("EMOJOB_MAX_LENGTH", "2")
    assert "--max-length 2" in emojob("score", log)[2]


def test_a_fault_of_our_own_shows_no_dialogue(emojob, monkeypatch):
    from emojob.pipeline.inference.scorer import Scorer

    def fail(self, texts, previous=None):
        raise RuntimeError(f"while at {texts}")

    monkeypatch.setattr(Scorer, "score", fail)
    code, _, err = emojob("predict", "비밀 이야기")
    assert code == 1
    assert "비밀" not in one_line(err)
