"""Commands use no network, run no code of a model, and read no file outside the model's folder."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.torture.conftest import WHOLE

HERE = Path(__file__).parents[2]


class Attack:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


def has_namespaces() -> bool:
    """Return whether a process can be started here without network interfaces."""
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([tool, "-rn", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not has_namespaces(), reason="needs unshare and its permission")
def test_no_command_uses_a_network(tmp_path, tiny_model):
    (tmp_path / "log.csv").write_text("conversation_id,text\n" + "c1,정말 기뻐요\nc2,너무 슬퍼요\n" * 20)
    (tmp_path / "2026-11-01.csv").write_text("text\n네\n")
    (tmp_path / "night.toml").write_text('[input]\nfiles = "{date}.csv"\n[output]\narchive = "nights"\n')
    environment = {**os.environ, "PYTHONPATH": str(HERE), "EMOJOB_ENGINE": "torch", "EMOJOB_MODEL": str(tiny_model)}
    traced = ["strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(tmp_path / "calls")]
    tracer = traced if shutil.which("strace") else []
    commands = (
        ("score", "log.csv", "-o", "out", "--quiet"), ("nightly", "night.toml", "--date", "2026-11-01"), ("doctor",),
        ("report", "out", "--html", "page.html"), ("predict", "네"), ("sql", "out", "FROM labelled"),
        ("sample", "out", "--uncertain", "3", "-o", "sheet.csv"),
    )  # fmt: skip
    for args in commands if WHOLE else commands[:3]:
        command = ["unshare", "-rn", *tracer, sys.executable, "-m", "emojob", *args]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (args, done.stderr)
        if tracer:
            assert "AF_INET" not in (tmp_path / "calls").read_text(), args


# -- models from strangers ---------------------------------------------------------------------------------------------


@pytest.fixture
def damaged_model(own_model, tmp_path):
    """A model folder that a test may damage, and the folder that an attack would create."""
    return own_model, tmp_path / "owned"


def refused(emojob, model: Path) -> str:
    code, out, err = emojob("predict", "네", "--model", model)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    return err


def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(emojob, damaged_model):
    model, owned = damaged_model
    (model / "model.safetensors").unlink()
    for content in (pickle.dumps(Attack(owned)), pickle.dumps({"bert.x": Attack(owned)}, protocol=2)):
        (model / "pytorch_model.bin").write_bytes(content)
        refused(emojob, model)
    torch.save({"weights": Attack(owned)}, model / "pytorch_model.bin")
    refused(emojob, model)
    assert not owned.exists()


def test_code_in_a_model_folder_is_never_run(emojob, damaged_model, change_config):
    model, owned = damaged_model
    code = f"import os\nos.mkdir({str(owned)!r})\nclass Model: pass\n"
    for name in ("modeling_x", "tokenization_x", "configuration_x", "__init__", "setup", "sitecustomize"):
        (model / f"{name}.py").write_text(code)
    classes = {"AutoModelForSequenceClassification": "modeling_x.Model", "AutoConfig": "configuration_x.Model"}
    change_config(auto_map=classes)
    (model / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["tokenization_x.Model", None]}, "tokenizer_class": "Model"})
    )
    assert emojob("predict", "네", "--model", model)[0] == 0
    assert not owned.exists()


def test_paths_in_the_files_of_a_model_are_ignored(emojob, damaged_model, change_config, tmp_path):
    model, _ = damaged_model
    secret = tmp_path / "secret"
    secret.write_text("비밀")
    before = emojob("predict", "--json", "정말 기뻐요", "--model", model)
    for value in (str(secret), "../secret", "/etc/passwd", "file:///etc/passwd", "https://evil.example/x"):
        change_config(_name_or_path=value, vocab_file=value, tokenizer_file=value, weights=value)
        (model / "tokenizer_config.json").write_text(json.dumps({"vocab_file": value, "name_or_path": value}))
        (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"bert": value}}))
        assert emojob("predict", "--json", "정말 기뻐요", "--model", model) == before


ABSURD = [
    {"num_hidden_layers": 10**9}, {"hidden_size": 10**12}, {"vocab_size": -5}, {"num_attention_heads": 0},
    {"hidden_size": "many"}, {"max_position_embeddings": 10**15}, {"type_vocab_size": 10**15}, {"hidden_size": None},
    {"intermediate_size": 2**62}, {"layer_norm_eps": "nan", "hidden_size": [1]}, {"pad_token_id": 2**40},
    {"id2label": {str(i): "x" for i in range(100_000)}}, {"id2label": {"0": "../../x"}}, {"id2label": []},
    {"num_labels": 2, "id2label": {"0": "a", "1": "a"}}, {"model_type": "llama"}, {"emojob_context": "all"},
    {"emojob_temperature": 0}, {"emojob_temperature": "1"}, {"hidden_act": "__import__('os').system('id')"},
]  # fmt: skip


@pytest.mark.parametrize("change", ABSURD)
def test_absurd_values_are_refused_in_one_line(emojob, change_config, change):
    refused(emojob, change_config(**change))


OTHERS = [b"", b"\x00" * 100, b"{}", b"[]", b"\xff" * 8 + b"x" * 100, b'{"a":' * 50_000, b"PK\x03\x04" + b"x" * 50]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "spiece.model"])
@pytest.mark.parametrize("content", OTHERS)
def test_files_with_other_content_are_refused_in_one_line(emojob, damaged_model, name, content):
    model, _ = damaged_model
    (model / name).write_bytes(content)
    refused(emojob, model)


def test_links_in_an_input_folder_are_not_followed(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("text\n비밀\n")
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "log.csv").write_text("text\n네\n")
    (inside / "link.csv").symlink_to(outside / "secret.csv")
    (inside / "folder").symlink_to(outside)
    (inside / "up.csv").symlink_to("../outside/secret.csv")
    (inside / "self.csv").symlink_to("self.csv")
    (inside / "zero.txt").symlink_to("/dev/zero")
    assert emojob("score", "in", "-o", "out", "--quiet")[0] == 0
    assert len(json.loads((tmp_path / "out/_emojob/run.json").read_text())["inputs"]) == 1
    for name, target in (("device.csv", "/dev/zero"), ("null.csv", "/dev/null")):
        (tmp_path / name).symlink_to(target)
        code, _, err = emojob("score", name, "-o", "out2")
        assert (code, "regular file" in err) == (2, True)
    os.mkfifo(tmp_path / "pipe.csv")
    code, _, err = emojob("score", "pipe.csv", "-o", "out2")
    assert (code, "regular file" in err) == (2, True)


@pytest.mark.parametrize("name", ["config.json", "spiece.model", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_in_a_model_folder_are_refused(emojob, own_model, name, kind):
    (own_model / name).unlink()
    if kind == "pipe":
        os.mkfifo(own_model / name)
    else:
        (own_model / name).symlink_to("/dev/zero")
    assert f"{name} that is not a regular file" in refused(emojob, own_model)
