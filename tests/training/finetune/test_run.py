import dataclasses
import errno
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.storage.lock import lock
from emojob.schemas.errors import (
    BusyError,
    DataError,
    Interrupted,
    ModelError,
    OptionError,
    OutputError,
    StorageError,
)
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ModelOptions
from emojob.training.data.corpus import CorpusOptions
from emojob.training.finetune import trainer
from emojob.training.finetune.finish import calibrate
from emojob.training.finetune.options import TrainOptions
from emojob.training.finetune.recipe import TrainRecipe
from emojob.training.finetune.run import train_model
from emojob.training.finetune.watch import Callbacks, EncodedSplit, Stop


@pytest.fixture
def options(annotated_csv, base, tmp_path) -> TrainOptions:
    return TrainOptions(data=(annotated_csv,), out=tmp_path / "model", base=str(base), device="cpu")


@pytest.fixture(scope="module")
def trained(annotated_csv, base, train_recipe, tmp_path_factory) -> Path:
    """A model folder that nothing disturbed while it was made."""
    out = tmp_path_factory.mktemp("trained") / "model"
    train_model(TrainOptions((annotated_csv,), out, base=str(base), device="cpu"), train_recipe)
    return out


def change(recipe: TrainRecipe, **values: object) -> TrainRecipe:
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, **values))


def stock_labels(folder: Path, texts: list[str], pairs: list[str] | None = None) -> list[str]:
    """What transformers alone makes of texts (with those before them first), some at a time, padded and masked."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    found: list[int] = []
    for i in range(0, len(texts), 250):
        given = [texts[i : i + 250]] if pairs is None else [pairs[i : i + 250], texts[i : i + 250]]
        with torch.inference_mode():
            inputs = tokenizer(*given, padding=True, truncation=True, max_length=16, return_tensors="pt")
            found += model(**inputs).logits.argmax(1).tolist()
    return [model.config.id2label[i] for i in found]


def agreement(ours: list[str], theirs: list[str]) -> float:
    assert len(ours) == len(theirs)
    return sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(ours)


@pytest.fixture(scope="module")
def varied(utterances) -> list[str]:
    """5,000 texts of words, any syllables, Latin, digits, signs and odd spaces, short and long."""
    random = np.random.default_rng(3)
    words = sorted({word for text, _ in utterances for word in text.split()})
    others = ["ㅋㅋ", "ㅠㅠ", "OK", "7,000원", "``왜''", "cafe\u0301", "😊", "[MASK]", "...", "Ａ１", "3, 4"]

    def piece() -> str:
        syllables = "".join(map(chr, random.integers(0xAC00, 0xD7A4, 2)))
        return str(random.choice([*words, *others, syllables]))

    return [random.choice([" ", "  ", "\t"]).join(piece() for _ in range(random.integers(1, 13))) for _ in range(5000)]


def same_weights(a: Path, b: Path) -> bool:
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (a, b))
    return ours.keys() == theirs.keys() and all(torch.equal(w, theirs[name]) for name, w in ours.items())


class TestWhatIsLeftBehind:
    def test_the_model_learned_and_says_so(self, trained):
        metrics = json.loads((trained / "metrics.json").read_text())
        assert metrics["test"]["accuracy"] > 0.95
        assert set(metrics["test"]["classes"]) == set(DEFAULT_LABELS)
        assert metrics["curves"]["epoch"] == [float(i) for i in range(1, 9)]
        assert metrics["curves"]["train_accuracy"][-1] > metrics["curves"]["train_accuracy"][0]
        assert metrics["calibration"]["fitted_on"] == "validation"

    def test_score_takes_the_folder(self, trained):
        scored = Scorer.load(str(trained), ModelOptions(max_length=16)).score(["오늘 기뻐", "어제 눈물나"])
        assert scored.labels == ["기쁨", "슬픔"]

    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_stock_transformers_gives_the_same_labels(self, trained, varied, precision):
        scored = Scorer.load(str(trained), ModelOptions(max_length=16, precision=precision)).score(varied)
        assert agreement(scored.labels, stock_labels(trained, varied)) >= (1.0 if precision == "fp32" else 0.995)

    def test_recipe_data_and_versions_are_written_down(self, trained, annotated_csv):
        made_with = json.loads((trained / "recipe.json").read_text())
        assert made_with["recipe"]["training"]["learning_rate"] == 5e-3
        assert made_with["data"][0]["name"] == annotated_csv.name
        assert len(made_with["data"][0]["sha256"]) == 64
        assert made_with["parts"] == {"train": 180, "validation": 60, "test": 60, "dropped": 0}
        assert "torch" in made_with["versions"]
        card = (trained / "README.md").read_text()
        assert card.startswith("---\nlanguage: ko")
        assert made_with["data"][0]["sha256"] in card

    def test_pictures_and_page_are_drawn(self, trained):
        assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")
        assert "불안" in (trained / "training.html").read_text()

    def test_no_checkpoint_stays(self, trained):
        assert sorted(one.name for one in (trained / "_training").iterdir() if one.name != "runs") == [
            "lock",
            "made_with.json",
        ]


class TestTheSameAgain:
    def test_one_seed_gives_the_same_weights(self, trained, options, train_recipe):
        train_model(options, train_recipe)
        assert same_weights(trained, options.out)

    def test_a_finished_model_is_left_alone(self, trained, options, train_recipe):
        before = (trained / "model.safetensors").stat().st_mtime_ns
        outcome = train_model(dataclasses.replace(options, out=trained), train_recipe)
        assert outcome.was_finished
        assert (trained / "model.safetensors").stat().st_mtime_ns == before

    @pytest.mark.parametrize("step", [3, 23, 26])  # in the first epoch, at its end, in the second
    def test_what_was_stopped_goes_on_to_the_same_weights(self, trained, options, train_recipe, step):
        stop = Stop()

        def report(progress):
            if progress.step == step:
                stop.stop()

        with pytest.raises(Interrupted):
            train_model(options, train_recipe, Callbacks(report=report, stop=stop))
        assert not (options.out / "config.json").exists()
        train_model(options, train_recipe)
        assert same_weights(trained, options.out)
        assert (options.out / "metrics.json").read_text() == (trained / "metrics.json").read_text()

    def test_what_was_killed_goes_on_to_the_same_weights(self, trained, options, train_recipe, tmp_path):
        script = tmp_path / "run.py"
        script.write_text(
            "import pickle, sys, torch\n"
            "from emojob.training.finetune import trainer, run\n"
            "torch.set_num_threads(1)\n"
            "trainer.CHECKPOINT_SECONDS = 0.0\n"
            "options, recipe = pickle.load(open(sys.argv[1], 'rb'))\n"
            "run.train_model(options, recipe, trainer.Callbacks(report=lambda p: print(p.step, flush=True)))\n"
        )
        given = tmp_path / "given"
        given.write_bytes(pickle.dumps((options, train_recipe)))
        command = [sys.executable, str(script), str(given)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        for until in (5, 40):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if int(line) >= until:
                        process.send_signal(signal.SIGKILL)
                        break
            assert process.returncode == -signal.SIGKILL
        train_model(options, train_recipe)
        assert same_weights(trained, options.out)
        assert (options.out / "metrics.json").read_text() == (trained / "metrics.json").read_text()

    def test_a_checkpoint_that_was_cut_off_is_not_used(self, trained, options, train_recipe):
        (options.out / "_training" / "checkpoint-9").mkdir(parents=True)
        (options.out / "_training" / "checkpoint-9" / "model.safetensors").write_bytes(b"half")
        train_model(options, train_recipe)
        assert same_weights(trained, options.out)

    def test_another_recipe_in_the_same_folder_is_refused_and_fresh_begins_anew(self, options, train_recipe):
        short = change(train_recipe, epochs=1)
        train_model(options, short)
        with pytest.raises(OutputError, match="begun with other recipe: give another -o, or --fresh"):
            train_model(options, change(short, epochs=2))
        assert not train_model(dataclasses.replace(options, fresh=True), change(short, epochs=2)).was_finished

    def test_the_same_file_with_another_label_column_is_other_data(self, options, train_recipe, tmp_path):
        file = tmp_path / "two.csv"
        rows = [f"오늘 {n} {'기뻐' if n % 2 else '슬퍼'},{'가나'[n % 2]},{'다라'[n % 2]}" for n in range(60)]
        file.write_text("\n".join(["text,a,b", *rows]), encoding="utf-8")
        short = change(train_recipe, epochs=1)
        asked = dataclasses.replace(options, data=(file,), corpus=CorpusOptions(label_column="a"))
        train_model(asked, short)
        with pytest.raises(OutputError, match="begun with other labels and columns: give another"):
            train_model(dataclasses.replace(asked, corpus=CorpusOptions(label_column="b")), short)

    def test_two_runs_cannot_train_into_one_folder(self, options, train_recipe):
        (options.out / "_training").mkdir(parents=True)
        with lock(options.out / "_training" / "lock", options.out), pytest.raises(BusyError):
            train_model(options, train_recipe)

    def test_a_folder_of_other_things_is_refused(self, options, train_recipe):
        options.out.mkdir()
        (options.out / "letter.txt").write_text("안녕")
        with pytest.raises(OutputError, match="not empty"):
            train_model(options, train_recipe)
        assert [one.name for one in options.out.iterdir()] == ["letter.txt"]

    def test_fresh_removes_what_training_made_and_nothing_of_the_users(self, options, train_recipe):
        short = change(train_recipe, epochs=1)
        train_model(options, short)
        (options.out / "notes.txt").write_text("내 메모")
        train_model(dataclasses.replace(options, fresh=True), change(short, epochs=2))
        assert (options.out / "notes.txt").read_text() == "내 메모"

    def test_what_failed_before_it_learned_anything_may_be_begun_with_something_else(self, options, train_recipe):
        with pytest.raises(ModelError, match="does not exist"):
            train_model(dataclasses.replace(options, base="./nowhere"), train_recipe)
        assert not train_model(options, change(train_recipe, epochs=1)).was_finished

    @pytest.mark.parametrize("left", ['{"rec', "null"])
    def test_a_damaged_note_of_what_a_model_was_begun_with_is_one_line(self, options, train_recipe, left):
        (options.out / "_training" / "checkpoint-2").mkdir(parents=True)
        (options.out / "_training" / "checkpoint-2" / "progress.json").write_text("{}")
        (options.out / "_training" / "made_with.json").write_text(left)
        with pytest.raises(OutputError, match=r"made_with\.json.* is missing or damaged: .*--fresh"):
            train_model(options, train_recipe)

    def test_a_name_below_a_file_cannot_be_the_folder(self, options, train_recipe, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="Not a directory; give another path"):
            train_model(dataclasses.replace(options, out=tmp_path / "file" / "model"), train_recipe)

    def test_no_right_to_write_names_the_folder_and_the_same_command_goes_on(
        self, options, train_recipe, trained, monkeypatch
    ):
        def full(*given):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("emojob.training.finetune.finish.write_json", full)
            with pytest.raises(StorageError, match=r"cannot write into -o .*model \(No space left on device\)"):
                train_model(options, train_recipe)
        train_model(options, train_recipe)
        assert same_weights(trained, options.out)

    @pytest.mark.parametrize(
        "error",
        [
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
        ],
    )
    def test_a_full_disk_while_a_checkpoint_is_written_is_no_fault_of_emojobs_own(
        self, options, train_recipe, monkeypatch, error
    ):
        def full(*given):
            raise error

        monkeypatch.setattr("emojob.training.finetune.checkpoints.complete_checkpoint", full)
        with pytest.raises(StorageError, match="free some space or grant write permission, then run the same command"):
            train_model(options, train_recipe)


class TestADamagedCheckpoint:
    @pytest.fixture
    def begun(self, options, train_recipe) -> TrainOptions:
        stop = Stop()
        with pytest.raises(Interrupted):
            train_model(options, train_recipe, Callbacks(report=lambda p: p.step == 23 and stop.stop(), stop=stop))
        return options

    @pytest.mark.parametrize(
        "file", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "best.safetensors",
                 "trainer_state.json", "progress.json"],
    )  # fmt: skip
    def test_a_file_cut_short_is_named(self, begun, train_recipe, file):
        place = next(begun.out.glob("_training/checkpoint-*")) / file
        place.write_bytes(place.read_bytes()[:50])
        with pytest.raises(OutputError, match=rf"checkpoint-[0-9]+ is damaged \({file}\).*--fresh to begin anew"):
            train_model(begun, train_recipe)

    @pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "best.safetensors"])
    def test_a_missing_file_is_not_gone_on_without(self, begun, train_recipe, file):
        (next(begun.out.glob("_training/checkpoint-*")) / file).unlink()
        with pytest.raises(OutputError, match=rf"is damaged \({file}\)"):
            train_model(begun, train_recipe)

    def test_fresh_begins_anew(self, begun, train_recipe, trained):
        (next(begun.out.glob("_training/checkpoint-*")) / "optimizer.pt").unlink()
        train_model(dataclasses.replace(begun, fresh=True), train_recipe)
        assert same_weights(trained, begun.out)


class TestTheRecipeIsFollowed:
    def test_training_ends_when_patience_does_and_the_best_epoch_is_kept(self, options, train_recipe, monkeypatch):
        scores = iter([0.5, 0.9, 0.8, 0.7, 0.95])
        real, weights = trainer.evaluate_classifier, []

        def measured(classifier, encoded, labels, names):
            found = real(classifier, encoded, labels, names)
            if labels is run_parts[0]:
                weights.append({k: w.clone() for k, w in classifier.state_dict().items()})
                return dataclasses.replace(found, macro_f1=next(scores))
            return found

        run_parts = []
        monkeypatch.setattr(trainer, "evaluate_classifier", measured)
        real_train = trainer.train

        def train(classifier, inputs, callbacks):
            run_parts.append(inputs.validation.labels)
            return real_train(classifier, inputs, callbacks)

        monkeypatch.setattr("emojob.training.finetune.run.train", train)
        train_model(options, change(train_recipe, epochs=5, patience=2))
        metrics = json.loads((options.out / "metrics.json").read_text())
        assert (metrics["epochs"], metrics["epoch_kept"]) == (4, 2)
        kept = load_file(options.out / "model.safetensors")
        assert torch.equal(kept["classifier.weight"], weights[1]["head.weight"])

    def test_the_last_epoch_is_kept_where_the_recipe_says_so(self, options, train_recipe):
        last = dataclasses.replace(
            change(train_recipe, keep="last", patience=0, epochs=2),
            split=dataclasses.replace(train_recipe.split, validation=0.0),
        )
        train_model(options, last)
        metrics = json.loads((options.out / "metrics.json").read_text())
        assert (metrics["epochs"], metrics["epoch_kept"]) == (2, 2)
        assert metrics["calibration"]["fitted_on"] == "test"

    def test_gradients_of_quarters_of_a_batch_add_up_to_those_of_the_whole(
        self, options, train_recipe, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("emojob.training.finetune.learner.BODY_DROPOUT", 0.0)
        heads = []
        for accumulation in (1, 4):
            out = tmp_path / str(accumulation)
            recipe = change(train_recipe, epochs=1, dropout=0.0, accumulation=accumulation)
            train_model(dataclasses.replace(options, out=out), recipe)
            heads.append(load_file(out / "model.safetensors")["classifier.weight"])
        assert (heads[0] - heads[1]).abs().max().item() < 1e-3


def test_out_of_memory_halves_the_texts_at_a_time_and_goes_on(options, train_recipe, monkeypatch):
    seen, notes = [], []
    real = trainer.summed_loss

    def hungry(logits, labels, weights, smoothing):
        seen.append(len(labels))
        if len(labels) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(logits, labels, weights, smoothing)

    monkeypatch.setattr(trainer, "summed_loss", hungry)
    train_model(options, change(train_recipe, epochs=1), Callbacks(note=notes.append))
    assert seen[:2] == [8, 4]
    assert max(seen[1:]) == 4
    assert [note for note in notes if "out of memory" in note] == [
        "out of memory: going on with 4 texts at a time, their gradients added up",
    ]
    curves = json.loads((options.out / "metrics.json").read_text())["curves"]
    assert curves["step"][-1] == 20  # 180 texts in steps of 8 are 23, logged every 4: two halves are one step


def test_after_a_stop_it_goes_on_with_the_texts_that_memory_sufficed_for(options, train_recipe, monkeypatch):
    seen: list[int] = []
    real = trainer.summed_loss

    def hungry(logits, labels, weights, smoothing):
        seen.append(len(labels))
        if len(labels) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(logits, labels, weights, smoothing)

    monkeypatch.setattr(trainer, "summed_loss", hungry)
    stop = Stop()
    with pytest.raises(Interrupted):
        train_model(options, train_recipe, Callbacks(report=lambda p: p.step == 30 and stop.stop(), stop=stop))
    assert 8 in seen
    seen.clear()
    train_model(options, change(train_recipe))
    assert max(seen) == 4
    curves = json.loads((options.out / "metrics.json").read_text())["curves"]
    assert curves["epoch"] == [float(i) for i in range(1, 9)]


def test_losses_and_rates_are_logged_for_tensorboard(options, train_recipe):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_model(options, change(train_recipe, epochs=2))
    [logs] = {file.parent for file in options.out.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(logs)).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(4, 47, 4))
    assert [event.step for event in events.Scalars("test/accuracy")] == [23, 46]
    assert len(events.Scalars("train/learning_rate")) == 13  # and at the end of each epoch


def test_out_of_memory_with_one_text_is_one_line(options, train_recipe, monkeypatch):
    def never(*given):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer, "summed_loss", never)
    with pytest.raises(OptionError, match="out of memory with one text at a time"):
        train_model(options, change(train_recipe, epochs=1))


def test_a_loss_that_is_no_number_ends_training_with_the_rate_to_lower(options, train_recipe, monkeypatch):
    monkeypatch.setattr(trainer, "summed_loss", lambda logits, *others: logits.sum() * float("nan"))
    with pytest.raises(OptionError, match=r"training diverged: the loss is nan after 0 steps; lower .*0\.005"):
        train_model(options, change(train_recipe, epochs=1))


def test_several_processes_train_one_model_as_one_would(options, train_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("emojob.training.finetune.learner.BODY_DROPOUT", 0.0)
    plain = change(train_recipe, epochs=2, dropout=0.0)
    train_model(options, plain)
    script = tmp_path / "run.py"
    script.write_text(
        "import pickle, sys, torch\n"
        "from emojob.training.finetune import run, learner\n"
        "torch.set_num_threads(1)\n"
        "learner.BODY_DROPOUT = 0.0\n"
        "run.train_model(*pickle.load(open(sys.argv[1], 'rb')))\n"
    )
    both = dataclasses.replace(options, out=tmp_path / "both")
    (tmp_path / "given").write_bytes(pickle.dumps((both, plain)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(tmp_path / "given")], check=True, env=environment, capture_output=True)
    ours, theirs = (json.loads((f / "metrics.json").read_text())["curves"] for f in (both.out, options.out))
    assert ours["step"] == theirs["step"]
    # an odd last batch is filled up with texts from the beginning, so the two are not quite the same
    assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=0.05)
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.1)


class TestTheData:
    def test_other_texts_may_be_measured_on(self, options, train_recipe, tmp_path):
        other = tmp_path / "other.csv"
        other.write_text("label,text\n기쁨,오늘 기뻐\n슬픔,완전히 슬퍼\n", encoding="utf-8")
        train_model(dataclasses.replace(options, test=(other,)), change(train_recipe, epochs=1))
        made_with = json.loads((options.out / "recipe.json").read_text())
        assert made_with["parts"]["test"] == 2
        assert made_with["parts"]["dropped"] == 1  # "오늘 기뻐" was among those to learn from or to choose by

    def test_labels_of_the_test_that_the_data_lacks_are_all_listed(self, options, train_recipe, tmp_path):
        other = tmp_path / "other.csv"
        other.write_text("감정_대분류,사람문장1\n당황,어쩌지\n상처,아파\n당황,어머나\n기쁨,좋아\n", encoding="cp949")
        with pytest.raises(DataError, match=r"당황 \(2\), 상처 \(1\)"):
            train_model(dataclasses.replace(options, test=(other,)), train_recipe)
        assert not options.out.exists()

    def test_the_test_may_have_a_label_map_of_its_own(self, options, train_recipe, tmp_path):
        other = tmp_path / "other.csv"
        other.write_text("감정_대분류,사람문장1\n당황,어쩌지\n상처,아파\n당황,어머나\n기쁨,좋아\n", encoding="cp949")
        label_map = tmp_path / "map.toml"
        label_map.write_text('[labels]\n"슬픔" = ["상처"]\ndrop = ["당황"]\n', encoding="utf-8")
        asked = dataclasses.replace(options, test=(other,), test_label_map=str(label_map))
        train_model(asked, change(train_recipe, epochs=1))
        assert json.loads((options.out / "recipe.json").read_text())["parts"]["test"] == 2

    def test_one_label_alone_teaches_nothing(self, options, train_recipe, tmp_path):
        one = tmp_path / "one.csv"
        one.write_text("label,text\n기쁨,좋아\n기쁨,신나\n", encoding="utf-8")
        with pytest.raises(DataError, match="only the label '기쁨': give texts of at least two labels"):
            train_model(dataclasses.replace(options, data=(one,)), train_recipe)

    def test_a_test_without_labelled_text_is_an_error_and_not_left_out(self, options, train_recipe, tmp_path):
        other = tmp_path / "other.csv"
        other.write_text("label,text\n기쁨,\n,좋아\n", encoding="utf-8")
        with pytest.raises(DataError, match="--test has no labelled text: 2 rows = 0 kept"):
            train_model(dataclasses.replace(options, test=(other,)), train_recipe)

    def test_a_test_that_holds_all_texts_is_said_to(self, options, train_recipe):
        with pytest.raises(DataError, match="all of the 300 texts to learn from are in --test as well"):
            train_model(dataclasses.replace(options, test=options.data), train_recipe)

    def test_rows_that_cannot_be_read_and_labels_without_texts_are_told(self, options, train_recipe, tmp_path):
        file = tmp_path / "some.csv"
        lines = ["label,text", "기쁨,좋아,좋아,좋아", *(f"{label},오늘 {n}" for n, label in enumerate("가나" * 20))]
        file.write_text("\n".join([*lines, "다,어제"]), encoding="utf-8")
        test_only = dataclasses.replace(train_recipe.split, how="plain", test=0.2, validation=0.2, seed=0)
        notes: list[str] = []
        asked = dataclasses.replace(options, data=(file,))
        recipe = dataclasses.replace(change(train_recipe, epochs=1), split=test_only)
        train_model(asked, recipe, Callbacks(note=notes.append))
        assert notes[0] == "41 rows = 41 kept; 1 more could not be read"
        assert notes[1] == "no text in the train part has the label 다: the model will not predict it"

    def test_pairs_are_learned_with_the_utterance_before_them(self, options, train_recipe, tmp_path, varied):
        # the answer is the same: only what was said before tells how it is meant
        lines = ["conversation_id,text,label"]
        for i in range(120):
            before, label = ("오늘 기뻐", "기쁨") if i % 2 else ("오늘 슬퍼", "슬픔")
            lines += [f"c{i},{before},", f"c{i},그냥 {'또 ' * (i // 20)}나는,{label}"]
        file = tmp_path / "pairs.csv"
        file.write_text("\n".join(lines), encoding="utf-8")
        asked = dataclasses.replace(options, data=(file,), corpus=CorpusOptions(context="previous"))
        train_model(asked, change(train_recipe, epochs=20))
        assert json.loads((options.out / "config.json").read_text())["emojob_context"] == "previous"
        scorer = Scorer.load(str(options.out), ModelOptions(max_length=16, precision="fp32"))
        assert scorer.score(["그냥 나는", "그냥 나는"], previous=["오늘 기뻐", "오늘 슬퍼"]).labels == ["기쁨", "슬픔"]
        # where a pair is cut by an odd number, stock transformers takes the odd token from the other of the two
        short = [text for text in varied if len(text) < 10]
        before = short[1:] + short[:1]
        ours = scorer.score(short, previous=before).labels
        assert agreement(ours, stock_labels(options.out, short, before)) == 1.0


class TestTheBase:
    def test_one_segment_cannot_learn_pairs(self, make_model, options, train_recipe, tmp_path):
        file = tmp_path / "pairs.csv"
        file.write_text("\n".join(["conversation_id,text,label", *(
            f"c{n // 2},오늘 {n},{'가나'[n % 3 % 2]}" for n in range(40))]), encoding="utf-8")  # fmt: skip
        asked = dataclasses.replace(
            options, data=(file,), base=str(make_model(type_vocab_size=1)), corpus=CorpusOptions(context="previous")
        )
        with pytest.raises(ModelError, match="--context previous needs a base with 2 segments"):
            train_model(asked, train_recipe)

    @pytest.mark.parametrize("known", [{"x": "기쁨", "y": "슬픔"}, {"0": "기쁨", "7": "슬픔"}, {"0": ["기쁨"]}])
    def test_ids_that_cannot_be_mean_a_new_head(self, make_model, known):
        from emojob.training.finetune.base_model import load_base

        folder = make_model(labels=("기쁨", "슬픔"))
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "id2label": known}))
        assert load_base(str(folder), ("기쁨", "슬픔"), seed=1).notes == ()

    def test_an_empty_name_is_not_the_packages_own(self, options, train_recipe):
        with pytest.raises(ModelError, match="--base is empty"):
            train_model(dataclasses.replace(options, base=" "), train_recipe)

    def test_a_classifier_of_the_same_labels_keeps_its_head_whatever_their_order(self, make_model, golden):
        from emojob.training.finetune.base_model import load_base

        folder = make_model(labels=("나", "가"))
        base = load_base(str(folder), ("가", "나"), seed=1)
        stored = load_file(folder / "model.safetensors")
        assert torch.equal(base.classifier.head.weight, stored["classifier.weight"].flip(0))
        assert "head is trained further" in base.notes[0]
        other = load_base(str(folder), ("가", "다"), seed=1)
        assert not torch.equal(other.classifier.head.weight, stored["classifier.weight"].flip(0))

    def test_a_folder_that_is_no_model_is_one_line(self, options, train_recipe, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(ModelError, match=r"lacks config\.json"):
            train_model(dataclasses.replace(options, base=str(tmp_path / "empty")), train_recipe)

    def test_a_base_that_is_not_there_names_the_option(self, options, train_recipe):
        with pytest.raises(ModelError, match=r"--base \./nowhere does not exist"):
            train_model(dataclasses.replace(options, base="./nowhere"), train_recipe)


def test_calibration_without_held_out_texts_says_nothing():
    none = EncodedSplit(Encoded(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, bool)), np.zeros(0, np.int64))
    calibration, probabilities = calibrate(None, none, none)
    assert (calibration.temperature, calibration.fitted_on, calibration.error_before) == (1.0, "none", None)
    assert probabilities is None
