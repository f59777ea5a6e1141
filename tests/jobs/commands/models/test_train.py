"""`emojob train` as a user types it."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emojob.jobs.main import main
from emojob.training.finetune.recipe import RECIPES
from tests.command_line import one_line

FEELINGS = {"기쁨": "기뻐요 신나요 행복해요 고마워요", "슬픔": "슬퍼요 눈물나요 서러워요 아쉬워요"}
OPENINGS = ["오늘", "어제", "정말", "그냥", "우리", "나는", "지금", "아까", "문득", "자꾸"]


@pytest.fixture
def emojob(make_model, tmp_path, monkeypatch, capsys):
    """Run `emojob` in this process and in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOJOB_BASE", str(make_model(initializer_range=0.05)))
    capsys.readouterr()

    def run(*arguments: object):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def notebooks(tmp_path) -> Path:
    """Training data of the original notebook: CSV in cp949 with the columns sentiment and user."""
    rows = [(label, f"{opening} {word}") for label, words in FEELINGS.items() for opening in OPENINGS
            for word in words.split()]  # fmt: skip
    file = tmp_path / "notebook.csv"
    with file.open("w", encoding="cp949", newline="") as handle:
        csv.writer(handle).writerows([("sentiment", "user"), *rows])
    return file


@pytest.fixture
def recipe(tmp_path) -> Path:
    """The seed recipe with few epochs."""
    text = (RECIPES / "seed.toml").read_text(encoding="utf-8")
    for slow, quick in (
        ("epochs = 50", "epochs = 8"), ("batch = 64", "batch = 8"), ("learning_rate = 5e-5", "learning_rate = 5e-3"),
        ("log_every = 200", "log_every = 4"),
    ):  # fmt: skip
        assert slow in text
        text = text.replace(slow, quick)
    file = tmp_path / "quick.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_model_trained_on_cp949_csv_scores_a_file(emojob, notebooks, recipe, tmp_path):
    code, out, err = emojob("train", "--data", notebooks, "-o", "model", "--recipe", recipe)
    assert code == 0, err
    assert "accuracy                        1.000" in out
    assert "emojob: 80 rows = 80 kept" in err
    assert "emojob: split: 64 train + 0 validation + 16 test" in err
    assert "next     emojob score FILE.parquet --model model" in out
    (tmp_path / "log.csv").write_text("text\n오늘 기뻐요\n어제 슬퍼요\n", encoding="utf-8")
    assert emojob("score", "log.csv", "--model", "model", "-o", "labelled.parquet", "--quiet")[0] == 0
    assert pq.read_table("labelled.parquet")["emotion"].to_pylist() == ["기쁨", "슬픔"]
    code, out, _ = emojob("train", "--data", notebooks, "-o", "model", "--recipe", recipe)
    assert code == 0
    assert "already trained" in out


def test_epochs_are_recorded_and_count_as_another_recipe(emojob, notebooks, tmp_path):
    command = ("train", "--data", notebooks, "-o", "model", "--recipe", "seed", "--quiet")
    code, _, err = emojob(*command, "--epochs", 2)
    assert code == 0, err
    made_with = json.loads((tmp_path / "model" / "recipe.json").read_text(encoding="utf-8"))
    assert made_with["recipe"]["training"]["epochs"] == 2
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["epochs"] == 2
    assert emojob(*command, "--epochs", 2)[0] == 0
    for other, epochs in ((("--epochs", 3), 3), ((), 50)):
        code, _, err = emojob(*command, *other)
        assert code == 2
        assert (
            f"has results of a run with other inputs (changed: recipe.training.epochs 2, now {epochs}); give another "
            "folder with -o, or add --fresh" in one_line(err)
        )


def test_settings_may_be_options_or_environment_variables(emojob, notebooks, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOJOB_SEED", "7")
    command = ("train", "--data", notebooks, "-o", "model", "--recipe", "seed", "--quiet", "--epochs", 1)
    code, _, err = emojob(*command, "--lr", "1e-3", "--batch-size", 16)
    assert code == 0, err
    made_with = json.loads((tmp_path / "model" / "recipe.json").read_text(encoding="utf-8"))
    training = made_with["recipe"]["training"]
    assert (training["learning_rate"], training["batch"], training["seed"]) == (1e-3, 16, 7)
    assert made_with["recipe"]["split"]["seed"] == 4
    code, _, err = emojob(*command, "--lr", "1e-4", "--batch-size", 8)
    assert code == 2
    changed = "recipe.training.batch 16, now 8; recipe.training.learning_rate 0.001, now 0.0001"
    assert f"(changed: {changed})" in one_line(err)


def test_a_recipe_with_only_the_changes_is_enough(emojob, notebooks, tmp_path):
    (tmp_path / "own.toml").write_text('extends = "seed"\n[training]\nepochs = 1\n', encoding="utf-8")
    code, _, err = emojob("train", "--data", notebooks, "-o", "model", "--recipe", "own.toml", "--quiet")
    assert code == 0, err
    made_with = json.loads((tmp_path / "model" / "recipe.json").read_text(encoding="utf-8"))
    assert (made_with["recipe"]["training"]["epochs"], made_with["recipe"]["training"]["batch"]) == (1, 64)


def test_a_tracker_that_is_not_installed_is_refused_before_the_data_is_read(emojob, notebooks, tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text("neither texts nor labels", encoding="utf-8")
    monkeypatch.setattr("emojob.training.finetune.options.is_installed", lambda package: package == "tensorboard")
    for tracker in ("mlflow", "wandb"):
        code, _, err = emojob("train", "--data", "x.csv", "-o", "model", "--report-to", tracker)
        assert code == 2
        assert (
            f"--report-to {tracker} needs the package {tracker}, which is not installed: pip install {tracker}" in err
        )
    code, _, err = emojob(
        "train", "--data", "x.csv", "-o", "model", "--report-to", "none", "--report-to", "tensorboard"
    )
    assert "--report-to none and --report-to tensorboard exclude each other" in err


def test_report_to_chooses_the_tracker(emojob, notebooks, recipe, tmp_path):
    command = ("train", "--data", notebooks, "--recipe", recipe, "--epochs", 1, "--quiet")
    assert emojob(*command, "-o", "plain", "--report-to", "none")[0] == 0
    assert emojob(*command, "-o", "logged", "--report-to", "tensorboard")[0] == 0
    assert not list((tmp_path / "plain").rglob("events.out.*"))
    assert len(list((tmp_path / "logged").rglob("events.out.*"))) == 1


@pytest.mark.parametrize("epochs", ["0", "-1", "2.5", "many"])
def test_invalid_epochs_are_refused(emojob, notebooks, epochs):
    code, _, err = emojob("train", "--data", notebooks, "-o", "model", "--epochs", epochs)
    assert code == 2
    assert "--epochs" in err
    assert epochs in err


def test_a_filled_in_sheet_is_training_data_beside_other_files(emojob, notebooks, recipe, tmp_path):
    lines = [f"{opening} 음식이 늦게 왔네요 {i}" for i, opening in enumerate(OPENINGS)]
    (tmp_path / "log.csv").write_text("\n".join(["text", *lines]), encoding="utf-8")
    assert emojob("score", "log.csv", "--quiet")[0] == 0
    assert emojob("sample", "log.emotions", "--uncertain", 6, "-o", "todo.csv")[0] == 0
    sheet = list(csv.DictReader(io.StringIO((tmp_path / "todo.csv").read_text(encoding="utf-8-sig"))))
    assert len(sheet) == 6
    for row in sheet[:5]:
        row["label"] = "분노"
    with (tmp_path / "todo.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, sheet[0].keys())
        writer.writeheader()
        writer.writerows(sheet)
    code, _, err = emojob("train", "--data", notebooks, "--data", "todo.csv", "-o", "model", "--recipe", recipe)
    assert code == 0, err
    assert "86 rows = 85 kept + 1 unlabelled" in err
    assert json.loads((tmp_path / "model" / "config.json").read_text())["id2label"] == {
        "0": "기쁨",
        "1": "분노",
        "2": "슬픔",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no data is given: give annotated files with --data FILE..."),
        (("--data", "nothing.csv"), "nothing.csv"),
        (
            ("--data", "notebook.csv", "--recipe", "fast"),
            "--recipe fast does not exist: give default, seed",
        ),
        (("--data", "notebook.csv", "--label-column", "mood"), "mood"),
        (("--data", "notebook.csv", "--base", "./nothing"), "--base ./nothing does not exist"),
        (("--data", "notebook.csv", "--context", "previous"), "--conversation-column"),
        (("--data", "notebook.csv", "--label-map", "nothing.toml"), "nothing.toml"),
    ],
)
def test_a_bad_input_is_one_line_and_exit_code_2_and_leaves_no_model(emojob, notebooks, tmp_path, arguments, message):
    code, out, err = emojob("train", "-o", "model", *arguments)
    assert code == 2
    assert out == ""
    assert message in err.splitlines()[-1]
    assert all(line.startswith("emojob: ") for line in err.splitlines())
    assert not (tmp_path / "model" / "config.json").exists()


def test_unmapped_labels_are_listed_with_counts_and_a_label_map_fixes_them(emojob, notebooks, recipe, tmp_path):
    texts = {"어쩌면 좋아요": "당황", "마음이 아파요": "상처", "이게 뭐예요": "당황", "기뻐요": "기쁨"}
    with (tmp_path / "validation.csv").open("w", encoding="cp949", newline="") as handle:
        csv.writer(handle).writerows([("사람문장1", "감정_대분류"), *texts.items()])
    asked = ("train", "--data", notebooks, "--test", "validation.csv", "-o", "model", "--recipe", recipe)
    code, _, err = emojob(*asked)
    assert code == 2
    assert "당황 (2), 상처 (1)" in err
    (tmp_path / "map.toml").write_text(
        '[labels]\n"기쁨" = ["기쁨"]\n"슬픔" = ["슬픔", "상처"]\ndrop = ["당황"]\n', encoding="utf-8"
    )
    code, out, err = emojob(*asked, "--label-map", "map.toml")
    assert code == 0, err
    assert "macro-F1" in out
