"""The table of measures after `emojob train-replies`."""

from pathlib import Path

import pytest
from rich.cells import cell_len

from emojob.jobs.terminal.replies.bot_tables import print_bot
from emojob.training.replies.run import BotOutcome

RETRIEVAL = {"questions": 19, "hit_1": 0.25, "hit_5": 0.5, "mrr": 0.4}
NEAREST = {"held_out": 39, "retrieval": RETRIEVAL, "drafted": 0.75, "top_1": None, "top_3": None}
TONE = {"prompts": 120, "share": 0.75}
DRAFTS = {"ended": 1.0, "empty": 1.0, "distinct_2": None, "repetition": 0.0, "copied": 0.0, "score": 0.1}
GPT2 = {
    "before": {"pairs": 39, "perplexity": 900.0, "drafts": DRAFTS},
    "after": {"pairs": 39, "perplexity": 30.0, "drafts": DRAFTS},
    "tone_agreement": TONE,
}


def lines_of(capsys, way: str, measures: dict, language: str) -> list[str]:
    """The printed lines. The last two name the folder and the next command."""
    print_bot(BotOutcome(Path("bot"), way, False, measures), language)
    return capsys.readouterr().out.splitlines()


def value_of(lines: list[str], name: str) -> str:
    (line,) = (line for line in lines if line.startswith(f"  {name}  "))
    return line[len(name) + 2 :].strip()


def test_the_table_says_how_many_held_out_questions_could_be_measured(capsys):
    lines = lines_of(capsys, "answers", {"nearest_questions": NEAREST}, "en")
    assert value_of(lines, "held-out questions") == "39"
    assert value_of(lines, "those whose answer is in the training part") == "19 of 39"
    assert value_of(lines, "answer among five (hit@5), of those") == "0.500"


def test_measures_that_are_missing_have_no_row(capsys):
    everything = {**NEAREST, "retrieval": {**RETRIEVAL, "questions": 39, "hit_5": None}}
    lines = lines_of(capsys, "answers", {"nearest_questions": everything}, "en")
    names = ["held-out questions", "score high enough for a draft, by the nearest questions", "mean reciprocal rank"]
    assert [line.split("  ")[1] for line in lines[:-2]] == names
    nothing = {**NEAREST, "held_out": 0}
    assert len(lines_of(capsys, "answers", {"nearest_questions": nothing, "tone_agreement": TONE}, "en")) == 3


def test_empty_drafts_are_shown_with_the_reason_why_they_have_no_distinct_2(capsys):
    lines = lines_of(capsys, "gpt2", GPT2, "en")
    assert value_of(lines, "drafts without text") == "1.000"
    assert value_of(lines, "distinct-2") == "– (no draft has two words)"


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(("way", "measures"), [("gpt2", GPT2), ("answers", {"nearest_questions": NEAREST})])
def test_the_values_start_in_the_same_column(capsys, way, measures, language):
    table = lines_of(capsys, way, {**measures, "tone_agreement": TONE}, language)[:-2]
    assert len(table) > 4
    names = [line.rstrip().rsplit("  ", 1) for line in table]
    assert len({cell_len(name) for name, _ in names}) == 1
