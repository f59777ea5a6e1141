"""The Python API does what the commands do."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import emojob as api

SAMPLE = Path(__file__).parents[2] / "pipeline" / "assets" / "sample"


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("id,text\n1,정말 기뻐요\n2,\n3,왜 아직도 안 와요\n")
    return file


def test_score_does_what_the_command_does(emojob, log, tmp_path, tiny_model):
    assert emojob("score", log, "-o", tmp_path / "command", "--limit", 2, "--quiet")[0] == 0
    result = api.score(log, tmp_path / "function", limit=2, model=str(tiny_model), engine="torch")
    assert pq.read_table(tmp_path / "function").equals(pq.read_table(tmp_path / "command"))
    assert (result.out, result.rows_done, result.counts.read) == (tmp_path / "function", 2, 2)
    assert result.seconds > 0
    assert result.run["state"] == "complete"


def test_score_takes_several_inputs_and_the_default_output(log, tmp_path, tiny_model):
    other = Path(shutil.copy(log, tmp_path / "other.csv"))
    assert api.score([log, str(other)], str(tmp_path / "out"), model=str(tiny_model)).counts.labelled == 4
    assert api.score(str(log), model=str(tiny_model)).out == tmp_path / "log.emotions"
    assert api.score(log, model=str(tiny_model)).rows_done == 0


@pytest.mark.parametrize("columns", ["id", ["id"]])
def test_options_may_be_paths_lists_and_numbers(log, tmp_path, tiny_model, columns):
    (tmp_path / "key").write_text("a key of more than sixteen bytes")
    options = {"hash_columns": columns, "hash_key_file": tmp_path / "key", "max_rejects": 5}
    result = api.score(log, tmp_path / "out", model=tiny_model, **options)
    assert result.run["options"]["max_rejects"] == "5"
    assert "1" not in pq.read_table(tmp_path / "out")["id"].to_pylist()


def test_no_input_is_refused():
    with pytest.raises(api.OptionError, match="has no input"):
        api.score([])


@pytest.mark.parametrize("call", [api.score, api.evaluate, lambda data, **options: api.train(data, "out", **options)])
def test_an_unknown_option_is_refused_by_name(call):
    with pytest.raises(api.OptionError, match=r"no option 'text_colum'; did you mean 'text_column'\?"):
        call("log.csv", text_colum="text")
    with pytest.raises(api.OptionError, match="no option 'xyz'; its options are "):
        call("log.csv", xyz=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: api.score("log.csv", limit="ten"), r"emojob\.score\(limit='ten'\) has the wrong type: give an int"),
        (lambda: api.score("log.csv", limit=True), "give an int"),
        (lambda: api.score("log.csv", limit=1.5), "give an int"),
        (lambda: api.score("log.csv", prefix=3), "give a str"),
        (lambda: api.score("log.csv", fresh=1), "give a bool"),
        (lambda: api.train("log.csv", "out", epochs=1.5), "give an int"),
        (lambda: api.score(5), "5 is not a path: give a str, a Path, or a list of these"),
        (lambda: api.score([None]), "None is not a path"),
        (lambda: api.evaluate(3), "3 is not a path"),
        (lambda: api.Scorer.load(device=1), r"Scorer\.load\(device=1\) has the wrong type: give a str"),
        (lambda: api.Scorer.load(devise="cpu"), "did you mean 'device'"),
    ],
)
def test_an_argument_of_a_wrong_type_is_refused(call, message):
    with pytest.raises(api.OptionError, match=message):
        call()


def test_a_hash_column_has_the_name_of_the_option(log, tmp_path, tiny_model, monkeypatch):
    monkeypatch.setenv("EMOJOB_HASH_KEY", "a key of more than sixteen bytes")
    api.score(log, tmp_path / "out", model=tiny_model, hash_column="id", limit=np.int64(2))
    assert "1" not in pq.read_table(tmp_path / "out")["id"].to_pylist()


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done(tmp_path, tiny_model):
    lines = "\n".join(f"문장 {i} 입니다 {i * 7919}" for i in range(400_000))
    (tmp_path / "log.csv").write_text(f"text\n{lines}\n", encoding="utf-8")
    code = f"""
import emojob, os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore SIGINT
from emojob.pipeline.output.part_writer import PartWriter
add = PartWriter.add
def add_and_interrupt(*arguments):
    add(*arguments)
    PartWriter.add = add
    os.kill(os.getpid(), signal.SIGINT)
PartWriter.add = add_and_interrupt
try:
    emojob.score("log.csv", "out", model={str(tiny_model)!r}, engine="torch")
except emojob.Interrupted as error:
    print("Interrupted", error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Interrupted interrupted after ")
    labelled = pq.read_table(tmp_path / "out").num_rows
    assert 0 < labelled < 400_000


def test_errors_are_those_of_the_command(log, tmp_path, tiny_model):
    with pytest.raises(api.NothingFound, match=r"none\.csv"):
        api.score(tmp_path / "none.csv")
    with pytest.raises(api.OptionError, match="3 to 512"):
        api.score(log, max_length=2)
    with pytest.raises(api.ColumnError):
        api.score(log, text_column="nothing", model=str(tiny_model))


def test_one_text_is_not_a_list_of_texts(tiny_model):
    scorer = api.Scorer.load(tiny_model, precision="fp32")
    assert scorer.choice.precision == "fp32"
    scored = scorer.score(["너무 기뻐요", "불안해요", None])
    assert scored.labels[2] == ""
    assert (scored.probabilities.dtype, scored.probabilities.shape) == (np.float32, (3, 6))
    with pytest.raises(api.InputError, match="takes a list of texts, not str"):
        scorer.score("한 문장")
    with pytest.raises(api.InputError, match="item 1 of the list of texts has the type float: give str or None"):
        scorer.score(["한 문장", float("nan")])
    with pytest.raises(api.InputError, match="not NoneType"):
        scorer.score(None)


def test_train_and_evaluate_do_what_the_commands_do(make_model, emojob, tmp_path):
    base, data, test = make_model(), SAMPLE / "annotated.csv", SAMPLE / "held_out.csv"
    outcome = api.train(data, tmp_path / "model", base=str(base), epochs=1, test=test)
    assert outcome.folder == tmp_path / "model"
    assert outcome.evaluation.texts == 60
    assert json.loads((tmp_path / "model" / "recipe.json").read_text())["recipe"]["training"]["epochs"] == 1
    assert api.train([str(data)], tmp_path / "model", base=str(base), epochs=1, test=[str(test)]).was_finished
    found = api.evaluate([test], model=str(outcome.folder), engine="torch", precision="fp32")
    assert found.model.evaluation.texts == 60
    emojob("evaluate", "--data", test, "--model", outcome.folder, "--precision", "fp32", "--json", tmp_path / "e.json")
    assert json.loads(json.dumps(found.as_json())) == json.loads((tmp_path / "e.json").read_text())
