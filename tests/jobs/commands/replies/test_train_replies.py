"""`emojob train-replies` and `emojob chat` as a user types them, with data of a few lines."""

import csv
import io
import json
import sys

import pytest

from tests.command_line import one_line, run
from tests.pipeline.replies.conftest import ANSWERS, QUESTIONS


@pytest.fixture
def script(tmp_path):
    """A table in the shape of the wellness script: most cells of the answers are empty."""
    file = tmp_path / "script.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["구분", "유저", "챗봇"])
        for category, questions in QUESTIONS.items():
            more = [f"{question} {word}" for question in questions for word in ("정말", "오늘도", "어떡하죠")]
            for number, question in enumerate([*questions, *more]):
                rows.writerow([category, question, ANSWERS[category][number] if number < 2 else ""])
    return file


def write_pairs(file):
    """Write a table with the columns Q and A, without categories."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["Q", "A"])
        for category, questions in QUESTIONS.items():
            rows.writerows([question, answer] for question, answer in zip(questions, ANSWERS[category], strict=True))
    return file


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path / "pairs.csv")


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    """A bot of the pairs, and the command that made it."""
    folder = tmp_path_factory.mktemp("bots")
    command = ["train-replies", "--data", str(write_pairs(folder / "pairs.csv")), "-o", str(folder / "bot")]
    assert run([*command, "--quiet"]) == 0
    return folder / "bot", command


def chat(emojob, monkeypatch, text: str, *options: object) -> list[str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, printed, err = emojob("chat", *options)
    assert (code, err) == (0, "")
    return printed.splitlines()


def test_a_bot_of_pairs_answers_in_a_chat(emojob, bot, monkeypatch):
    _, answer = chat(emojob, monkeypatch, "택배가 너무 늦게 와요\n", "--bot", bot[0], "--language", "en")
    assert answer == f"bot> {ANSWERS['배송/지연'][0]}"


def test_a_bot_has_a_card(bot):
    card = (bot[0] / "README.md").read_text(encoding="utf-8")
    assert "| pairs.csv |" in card
    assert "## Licences" in card


def test_the_same_command_twice_does_nothing_and_shows_the_next_command(emojob, bot):
    before = {file: file.stat().st_mtime_ns for file in (bot[0] / "answers").iterdir()}
    code, printed, _ = emojob(*bot[1], "--language", "en")
    assert code == 0
    assert "has this way already" in printed
    assert f"emojob chat --bot {bot[0]}" in printed
    assert before == {file: file.stat().st_mtime_ns for file in (bot[0] / "answers").iterdir()}


def test_other_data_does_not_replace_an_answer_book(emojob, bot, script):
    code, _, err = emojob("train-replies", script, "-o", bot[0])
    assert code == 2
    assert (
        f"-o {bot[0]} has the way answers from other inputs (changed: data.sha256); give another"
        in err.splitlines()[-1]
    )


def test_the_measures_survive_a_kill_before_bot_json_is_written(emojob, bot):
    file = bot[0] / "bot.json"
    before = file.read_bytes()
    file.unlink()
    code, printed, _ = emojob(*bot[1], "--language", "en", "--epochs", 3)  # without categories, no epochs
    assert code == 0
    assert "tone suits the emotion" in printed
    assert file.read_bytes() == before


def test_answers_that_never_become_a_draft_are_counted_and_a_damaged_way_is_trained_again(emojob, pairs, tmp_path):
    with pairs.open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["영어로 답해 줘", "Of course"], ["길게 말해 줘", "아주 긴 대답 하나. " * 120],
                                      ["외국어로 답해 줘", "Bien sûr"]])  # fmt: skip
    bot = tmp_path / "bot"
    command = ("train-replies", pairs, "-o", bot, "--language", "en")
    code, printed, _ = emojob(*command)
    assert code == 0
    answers = sum(map(len, ANSWERS.values())) + 3
    assert f"3 of {answers} answers never become a draft: 2 not Korean, 1 too long" in printed
    vectors = bot / "answers" / "question_vectors.safetensors"
    content = vectors.read_bytes()
    vectors.write_bytes(content[:-64] + bytes(64))
    code, _, err = emojob("chat", "--bot", bot)
    assert code == 2
    assert f"{vectors} is damaged" in one_line(err)
    code, printed, err = emojob(*command)
    assert code == 0
    assert "has this way already" not in printed
    assert "has changed since the training, so the way answers is trained again" in err
    assert vectors.read_bytes() == content


def write_model(folder, model_type):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["pairs.csv", "--way", "answers", "--base", "nothing/at-all"], "--base nothing/at-all is not a local folder"),
        (["pairs.csv", "--base", "empty"], "--base empty lacks config.json: give a folder"),
        (
            ["pairs.csv", "--way", "answers", "--base", "gpt2"],
            "--base gpt2 is a GPT-2 model, but --way answers needs an",
        ),
        (["pairs.csv", "--way", "gpt2", "--base", "bert"], "--base bert is no GPT-2 model, but --way gpt2 needs one"),
        (["pairs.csv", "script.csv"], "some files have categories, and others have none; give files of one kind"),
        (["text.txt"], "text.txt does not begin with the names of its columns (구분, 유저 and 챗봇; Q and A;"),
    ],
)
def test_a_refused_command_leaves_no_folder(emojob, bot, pairs, script, tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    write_model(tmp_path / "gpt2", "gpt2")
    write_model(tmp_path / "bert", "bert")
    (tmp_path / "text.txt").write_text("안녕하세요\n오늘은 맑아요\n", encoding="utf-8")
    before = {file: file.stat().st_mtime_ns for file in bot[0].rglob("*")}
    for out in ("new", bot[0]):
        code, _, err = emojob("train-replies", *given, "-o", out)
        assert code == 2
        assert said in err.splitlines()[-1]
        assert "--text-column" not in err
    assert not (tmp_path / "new").exists()
    assert {file: file.stat().st_mtime_ns for file in bot[0].rglob("*")} == before


@pytest.mark.slow
def test_a_script_with_categories_trains_a_classifier(emojob, script, tmp_path, monkeypatch):
    bot = tmp_path / "bot"
    code, printed, _ = emojob("train-replies", script, "-o", bot, "--epochs", 2, "--language", "en")
    assert code == 0
    assert "with the classifier" in printed
    (line,) = chat(emojob, monkeypatch, "혼자라서 외로워요\n", "--bot", bot, "--json")
    assert json.loads(line)["category"] == "마음/외로움"
    assert json.loads(line)["reply"] in ANSWERS["마음/외로움"]
    described = json.loads((bot / "bot.json").read_text(encoding="utf-8"))
    assert described["ways"]["answers"]["counts"]["pairs"] == 36
    code, _, err = emojob("train-replies", script, "-o", bot, "--epochs", 3)
    assert code == 2
    assert "(changed: recipe.training.epochs 2, now 3)" in err.splitlines()[-1]
    assert "emojob train " not in err


@pytest.mark.slow
def test_fresh_makes_what_a_new_folder_gets(emojob, script, pairs, tmp_path):
    """No model of the earlier data is left."""
    for out in ("one", "two"):
        assert emojob("train-replies", script, "-o", tmp_path / out, "--epochs", 1)[0] == 0
        assert emojob("train-replies", pairs, "-o", tmp_path / out, "--fresh")[0] == 0
        script = pairs
    files = sorted(file.name for file in (tmp_path / "two" / "answers").iterdir())
    assert files == sorted(file.name for file in (tmp_path / "one" / "answers").iterdir())
    for name in files:
        if name != "way.json":  # has the time
            assert (tmp_path / "one" / "answers" / name).read_bytes() == (
                tmp_path / "two" / "answers" / name
            ).read_bytes()


def test_each_input_line_gives_one_json_line(emojob, bot, monkeypatch):
    lines = chat(emojob, monkeypatch, "너무 기뻐요\n\n/quit\n죽고 싶어요\n\x1b[31m끝", "--bot", bot[0], "--json")
    turns = [json.loads(line) for line in lines]
    assert [turn["text"] for turn in turns] == ["너무 기뻐요", "", "/quit", "죽고 싶어요", "\x1b[31m끝"]
    assert "\x1b" not in "".join(lines)
    assert turns[3]["flags"] == ["crisis"]
    assert "109" in turns[3]["reply"]


def test_why_shows_the_nearest_questions_and_quit_ends_the_chat(emojob, bot, monkeypatch):
    lines = chat(
        emojob,
        monkeypatch,
        "/why\n택배가 너무 늦게 와요\n/why\n/quit\n더 있어요\n",
        "--bot",
        bot[0],
        "--language",
        "en",
    )
    assert lines[0] == "There is no text to explain yet."
    assert lines[4].split() == ["1.00", *["택배가", "너무", "늦게", "와요"]]
    assert not any("더 있어요" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-o", "bot"], "no data is given: give files with questions and answers with --data FILE..."),
        (["--data", "pairs.csv", "-o", "bot", "--way", "gpt2"], "--way gpt2 needs a GPT-2 model: give --base"),
        (["--data", "pairs.csv", "-o", "bot", "--from-archive", "out"], "exclude each other"),
        (["--data", "pairs.csv", "-o", "pairs.csv"], "is a file: give a new folder"),
        (["--data", "pairs.csv", "-o", "."], "is a folder with other files"),
        (["--data", "pairs.csv", "-o", "bot", "--question-column", "Q"], "--question-column is given without"),
    ],
)
def test_wrong_options_are_refused(emojob, pairs, tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    code, _, err = emojob("train-replies", *given)
    assert code == 2
    assert said in one_line(err)
    assert not (tmp_path / "bot").exists()


@pytest.mark.parametrize(
    ("name", "said"), [("none", "does not exist"), ("pairs.csv", "is a file"), ("other", "is no bot")]
)
def test_a_folder_that_is_no_bot_is_refused(emojob, pairs, tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    code, _, err = emojob("chat", "--bot", name)
    assert code == 2
    assert said in one_line(err)
    assert "emojob train-replies" in err
