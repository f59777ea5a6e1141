"""`emojob train-replies` and `emojob chat` with a GPT-2 model, as a user types them."""

import csv
import io
import json
import sys

import pytest

from emojob.pipeline.replies.bot_folder import open_bot
from emojob.pipeline.replies.requests import Request
from emojob.schemas.options import ModelOptions
from tests.command_line import run
from tests.pipeline.replies.writing.tiny_gpt2 import write_tiny_gpt2

pytestmark = pytest.mark.slow

SUBJECTS = ("배송", "환불", "산책", "날씨", "주문", "도착")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A bot with a tiny GPT-2 model, and the command that made it."""
    folder = tmp_path_factory.mktemp("bots")
    base = write_tiny_gpt2(folder / "kogpt2", scale=0.3)
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["Q", "A"])
        rows.writerows([f"오늘 {one} {n}번 좋아요?", f"저도 {one} 기뻐요."] for one in SUBJECTS for n in range(8))
    command = ["train-replies", str(folder / "pairs.csv"), "-o", str(folder / "bot"), "--base", str(base)]
    assert run([*command, "--epochs", "1", "--quiet"]) == 0
    toml = (folder / "bot" / "replies.toml").read_text(encoding="utf-8")
    toml = toml.replace("least_score = 0.15", "least_score = 0.0").replace('way = "answers"', 'way = "gpt2"')
    toml = toml.replace('fallback = "answers"', 'fallback = "none"')
    (folder / "bot" / "replies.toml").write_text(toml, encoding="utf-8")
    return folder / "bot", command


def test_the_measures_are_kept_and_shown_again(emojob, trained):
    bot, command = trained
    measures = json.loads((bot / "bot.json").read_text(encoding="utf-8"))["ways"]["gpt2"]["measures"]
    assert measures == json.loads((bot / "gpt2" / "metrics.json").read_text(encoding="utf-8"))
    assert measures["tone_agreement"]["prompts"] == 120
    assert 0 <= measures["tone_agreement"]["share"] <= 1
    card = (bot / "gpt2" / "README.md").read_text(encoding="utf-8")
    assert "of the drafts for 120 prompts have the tone that suits the emotion" in card
    (bot / "bot.json").unlink()  # as after a kill between the last two files
    code, printed, _ = emojob(*command, "--epochs", 1, "--language", "en")
    assert code == 0
    assert "has this way already" in printed
    assert "tone suits the emotion" in printed
    assert "takes its answers from the built-in answer book" in printed
    assert json.loads((bot / "bot.json").read_text(encoding="utf-8"))["ways"]["gpt2"]["measures"] == measures


def test_a_changed_option_is_refused_with_both_values(emojob, trained):
    code, _, err = emojob(*trained[1], "--epochs", 2)
    assert code == 2
    assert "(changed: recipe.training.epochs 1, now 2)" in err.splitlines()[-1]


def test_the_drafts_are_the_same_one_by_one_and_64_at_once(trained):
    bot = open_bot(str(trained[0]), ModelOptions(engine="torch", precision="fp32"))
    texts = [
        f"{when} {one} {'정말 ' * many}좋아요" for when in ("오늘", "어제") for one in SUBJECTS for many in range(6)
    ]
    requests = [Request(text, "기쁨") for text in texts[:64]]
    together = bot.reply(requests, 2)
    assert {reply.way for reply in together} == {"gpt2"}
    assert all(0 < reply.score < 1 for reply in together)
    assert [bot.reply([one], 2)[0] for one in requests] == together


def test_a_chat_shows_the_way_and_the_score(emojob, trained, monkeypatch):
    asked = "오늘 시험에 합격했어요!\n너 사람이야?\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(asked.encode())))
    code, printed, err = emojob("chat", "--bot", trained[0], "--json")
    assert (code, err) == (0, "")
    turns = [json.loads(line) for line in printed.splitlines()]
    assert turns[0]["way"] == "gpt2"
    assert 0 < turns[0]["score"] < 1
    assert (turns[1]["way"], turns[1]["category"]) == ("answers", "챗봇/정체")
