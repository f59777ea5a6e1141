"""`emojob convert` as a user types it."""

import json
import re
import shlex

import pytest
import torch
from safetensors.torch import load_file

from emojob.pipeline.inference.scorer import Scorer
from emojob.schemas.labels import DEFAULT_LABELS
from tests.command_line import one_line

LABELS = ",".join(DEFAULT_LABELS)


@pytest.fixture
def given(tiny_model, tmp_path, monkeypatch):
    """The options of a command in a folder with a notebook's checkpoint, which needs --base for its attention heads."""
    monkeypatch.chdir(tmp_path)
    torch.save(load_file(tiny_model / "model.safetensors"), "kobert.pt")
    return ["kobert.pt", "-o", "mine", "--base", str(tiny_model)]


@pytest.fixture
def texts(tiny_model, tmp_path):
    """A file whose labels are those that the model gives, so that only the order in which it is asked can be wrong."""
    subjects = ["오늘은", "어제", "친구가", "비가", "네", "정말"]
    verbs = ["좋아요", "슬퍼요", "늦었어요", "화나요", "괜찮아요", "무서워요", "왔어요", "모르죠", "먹었죠", "고마워요"]
    texts = [f"{subject} {verb}" for subject in subjects for verb in verbs]
    labels = Scorer.load(tiny_model, precision="fp32").score(texts).labels
    rows = "\n".join(f"{text},{label}" for text, label in zip(texts, labels, strict=True))
    (tmp_path / "checked.csv").write_text(f"text,label\n{rows}\n", encoding="utf-8")
    return labels


def test_a_checkpoint_becomes_a_model_folder(emojob, given, tiny_model):
    code, out, err = emojob("convert", *given, "--labels", LABELS)
    assert (code, err) == (0, "")
    assert "labels   0 일상, 1 분노" in out
    assert "--check FILE" in out
    assert "emojob score FILE.parquet --model mine" in out
    ours, theirs = (Scorer.load(folder, precision="fp32").score(["네", "슬퍼요"]) for folder in ("mine", tiny_model))
    assert abs(ours.probabilities - theirs.probabilities).max() < 1e-6
    assert json.loads(open("mine/metrics.json").read())["generator"] == "emojob"  # noqa: PTH123, SIM115


def test_the_right_order_is_confirmed(emojob, given, texts):
    code, out, err = emojob("convert", *given, "--labels", LABELS, "--check", "checked.csv")
    assert (code, err) == (0, "")
    assert f"1.000  {LABELS}  (given)" in out
    assert "60 kept" in out
    assert "is not checked; --check" not in out


def test_a_wrong_order_is_refused_and_the_next_command_works(emojob, given, texts, tmp_path):
    wrong = sorted(DEFAULT_LABELS, key=lambda label: -texts.count(label))[:2]
    labels = [{wrong[0]: wrong[1], wrong[1]: wrong[0]}.get(label, label) for label in DEFAULT_LABELS]
    code, out, err = emojob("convert", *given, "--labels", ",".join(labels), "--check", "checked.csv")
    assert code == 2
    assert f"1.000  {LABELS}  (emojob's default model)" in out
    assert "wrong order" in one_line(err)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checked.csv", "kobert.pt"]
    command = re.search(r"`emojob (convert [^`]+)`", err)[1]
    code, _, err = emojob(*shlex.split(command))
    assert (code, err) == (0, "")
    assert Scorer.load("mine", precision="fp32").model.labels == DEFAULT_LABELS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["missing.pt", "-o", "new"], "CHECKPOINT missing.pt does not exist"),
        (["kobert.pt", "-o", "kobert.pt"], "-o kobert.pt is a file"),
        (["kobert.pt", "-o", "full"], "-o full is not empty"),
        (["kobert.pt", "-o", "s3://bucket/model"], "is a URL"),
        (["kobert.pt", "-o", "new", "--tokenizer", "missing.model"], "--tokenizer missing.model does not exist"),
        (["kobert.pt", "-o", "new", "--check", "missing.csv"], "--check missing.csv does not exist"),
        (["kobert.pt", "-o", "new", "--labels", "a,b"], "2 names (a, b), but"),
        (["kobert.pt", "-o", "new"], "without names"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(emojob, given, tmp_path, change, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    before = sorted(tmp_path.iterdir())
    code, out, err = emojob("convert", *change)
    assert (code, out) == (2, "")
    assert message in one_line(err)
    assert sorted(tmp_path.iterdir()) == before


def test_an_empty_folder_may_become_the_model(emojob, given, tmp_path):
    (tmp_path / "mine").mkdir()
    assert emojob("convert", *given, "--labels", LABELS)[0] == 0


def test_a_checkpoint_without_a_head_becomes_a_base_folder(emojob, given, tiny_model):
    torch.save({name: one for name, one in torch.load("kobert.pt").items() if "classifier" not in name}, "kobert.pt")
    code, _, err = emojob("convert", *given, "--labels", LABELS)
    assert code == 2
    assert "omit --labels" in one_line(err)
    assert emojob("convert", *given, "--check", "kobert.pt")[0] == 2
    code, out, err = emojob("convert", *given)
    assert (code, err) == (0, "")
    assert "no head" in out
    assert "emojob train --base mine --data FILE -o NEW" in out
    code, _, err = emojob("predict", "--model", "mine", "네")
    assert code == 2
    assert "emojob train --base mine" in one_line(err)


def test_a_note_names_other_labels_and_other_weights(emojob, given, tiny_model):
    state = torch.load("kobert.pt")
    torch.save({"model": state, "ema": {name: one * 1.1 for name, one in state.items()}}, "kobert.pt")
    code, out, _ = emojob("convert", *given, "--labels", ",".join(DEFAULT_LABELS[::-1]))
    assert code == 0
    assert "note     the weights under ema differ from those under model" in out
    assert "note     --labels are in another order than id2label in config.json of --base (0 일상, 1 분노" in out
    assert emojob("convert", *given[:1], "-o", "other", *given[3:], "--labels", LABELS, "--key", "ema")[0] == 0
