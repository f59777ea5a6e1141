"""A GPT-2 model is trained on pairs, resumed exactly, measured, and written so that others can open it."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from emojob.pipeline.replies.writing import gpt2_folder
from emojob.pipeline.replies.writing.copies import CopyIndex
from emojob.pipeline.replies.writing.gpt2_folder import load_gpt2
from emojob.schemas.errors import DataError, Interrupted, OutputError, StorageError
from emojob.training.finetune.watch import Callbacks, Stop
from emojob.training.replies.gpt2.measures import TrainingAnswers, measure_gpt2
from emojob.training.replies.gpt2.run import Gpt2Parts, prepare_gpt2
from tests.training.replies.pairs_of_tests import RECIPE, TRAIN, VALIDATION, write_base

MADE_WITH = {"data": [{"name": "상담_2025.csv", "rows": 36, "sha256": "ab" * 32}]}


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch):
    """Drawing the curves takes a second, and is tested with `emojob train`."""
    monkeypatch.setattr("emojob.training.replies.gpt2.run.write_pictures", lambda folder, curves: [])


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    return write_base(tmp_path_factory.mktemp("base") / "gpt2")


def run(base, out, callbacks=None, recipe=RECIPE, train=TRAIN, test=()):
    training = prepare_gpt2(base, Gpt2Parts(train, VALIDATION, test), recipe, MADE_WITH, "cpu")
    return training.train(out, callbacks or Callbacks(), report_to=("none",))


@pytest.fixture(scope="module")
def outcome(base, tmp_path_factory):
    """The result of a run without interruption."""
    torch.set_num_threads(1)
    return run(base, tmp_path_factory.mktemp("trained") / "gpt2")


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = weights_of(one), weights_of(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_training_lowers_the_perplexity_and_says_so(outcome):
    metrics = json.loads((outcome.folder / "metrics.json").read_text())
    assert metrics == outcome.metrics
    assert metrics["after"]["perplexity"] < metrics["before"]["perplexity"]
    assert metrics["after"]["perplexity"] == pytest.approx(
        math.exp(min(metrics["curves"]["validation_loss"])), rel=1e-3
    )
    assert metrics["after"]["drafts"]["drafts"] == len(VALIDATION)
    known = TrainingAnswers.of(answer for _, _, answer in TRAIN)
    written = measure_gpt2(load_gpt2(str(outcome.folder)), VALIDATION, known, RECIPE)  # what a user opens
    assert dataclasses.asdict(written) == metrics["after"]


def test_the_folder_opens_with_emojob_and_with_stock_transformers(outcome):
    from transformers import AutoTokenizer, GPT2LMHeadModel

    ours = load_gpt2(str(outcome.folder))
    prompt = ours.sequences.prompt("오늘은 배송 언제쯤 도착하나요?", "일상", 60)
    tokenizer = AutoTokenizer.from_pretrained(outcome.folder)
    ids = tokenizer("<usr>", add_special_tokens=False).input_ids
    assert ids == prompt[:1]
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token) == ("</s>", "<pad>", "<unk>")
    stock = GPT2LMHeadModel.from_pretrained(outcome.folder).eval()
    with torch.no_grad():
        given = torch.tensor([prompt])
        assert torch.allclose(stock(given).logits, ours.model(given).logits, atol=1e-5)


def test_the_card_names_data_counts_and_base(outcome, base):
    card = (outcome.folder / "README.md").read_text(encoding="utf-8")
    assert "상담\\_2025.csv" in card
    assert f"{len(TRAIN)} for training, {len(VALIDATION)} for validation" in card
    assert Path(base).name in card
    assert "None" not in card
    assert "nan" not in card
    assert "licence of the base model is not known" in card
    assert not any(question in card or answer in card for question, _, answer in TRAIN)


def test_the_licence_of_kogpt2_is_said_in_one_line_and_in_the_card(base, tmp_path, monkeypatch):
    real = gpt2_folder.load_gpt2
    licensed = lambda name: dataclasses.replace(real(name), licence=gpt2_folder.KOGPT2_LICENCE)  # noqa: E731
    monkeypatch.setattr("emojob.training.replies.gpt2.run.load_gpt2", licensed)
    notes: list[str] = []
    run(base, tmp_path / "gpt2", Callbacks(note=notes.append), dataclasses.replace(RECIPE, epochs=1))
    [note] = [note for note in notes if "CC-BY-NC-SA 4.0" in note]
    assert "no commercial use" in note
    card = (tmp_path / "gpt2" / "README.md").read_text(encoding="utf-8")
    assert "license: cc-by-nc-sa-4.0" in card
    assert "has the licence CC-BY-NC-SA 4.0" in card
    assert real(str(tmp_path / "gpt2")).licence == "CC-BY-NC-SA 4.0"


def test_the_index_of_copies_is_made_from_the_training_answers(base, tmp_path):
    long = " ".join(f"낱말{number}" for number in range(30))
    train = [*TRAIN, ("긴 답을 주세요", "일상", long)]
    run(base, tmp_path / "gpt2", recipe=dataclasses.replace(RECIPE, epochs=1), train=train)
    index = CopyIndex.load(tmp_path / "gpt2" / "copies.npy")
    assert index.longest_copied(long) == 30


@pytest.mark.parametrize("step", [3, 9])
def test_an_interrupted_run_resumes_to_the_same_weights(base, outcome, tmp_path, step):
    stop = Stop()
    callbacks = Callbacks(report=lambda progress: progress.step == step and stop.stop(), stop=stop)
    out = tmp_path / "gpt2"
    with pytest.raises(Interrupted):
        run(base, out, callbacks)
    assert not (out / "config.json").exists()
    seen: list[int] = []
    resumed = run(base, out, Callbacks(report=lambda progress: seen.append(progress.step)))
    assert seen[0] == step + 2  # the step after the stop was requested is still finished
    assert same_weights(out, outcome.folder)
    assert resumed.metrics == outcome.metrics
    assert not list(out.rglob("checkpoint-*"))


def test_a_run_that_cannot_write_is_not_finished_and_resumes_without_training_again(
    base, outcome, tmp_path, monkeypatch
):
    def full(*given):
        raise OSError(28, "No space left on device")

    out, seen = tmp_path / "gpt2", []
    with monkeypatch.context() as patch:
        patch.setattr("emojob.training.replies.gpt2.run.write_gpt2", full)
        with pytest.raises(StorageError, match="No space left"):
            run(base, out)
    assert not (out / "config.json").exists()
    run(base, out, Callbacks(report=seen.append))
    assert not seen
    assert same_weights(out, outcome.folder)


def test_a_finished_run_does_nothing_and_other_inputs_are_refused(base, outcome):
    before = (outcome.folder / "model.safetensors").stat().st_mtime_ns
    assert run(base, outcome.folder).was_finished
    assert (outcome.folder / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(OutputError, match=r"changed: recipe\.training\.epochs 3, now 4\);"):
        run(base, outcome.folder, recipe=dataclasses.replace(RECIPE, epochs=4))
    with pytest.raises(OutputError, match=rf"changed: pairs\.train {len(TRAIN)}, now {len(TRAIN) - 1}; pairs sha256\)"):
        run(base, outcome.folder, train=TRAIN[:-1])
    with pytest.raises(DataError, match="no pairs"):
        run(base, outcome.folder, train=[])


def test_pairs_for_the_measures_can_be_given(base, tmp_path):
    test = VALIDATION[:3]
    metrics = run(base, tmp_path / "gpt2", recipe=dataclasses.replace(RECIPE, epochs=1), test=test).metrics
    assert metrics["after"]["pairs"] == 3
