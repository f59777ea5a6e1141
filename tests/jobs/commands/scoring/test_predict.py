"""`emojob predict` as a user types it."""

import io
import json

import pytest
from click.testing import CliRunner

from emojob.jobs.main import cli
from emojob.pipeline.inference.scorer import Scorer
from emojob.schemas.options import ModelOptions
from tests.command_line import one_line


def test_predict_prints_one_line_for_each_text(emojob):
    code, out, _ = emojob("predict", "기뻐요", "", "이상한 \x1b[31m글\n두 줄 \u202e반대")
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 3
    assert lines[0].endswith("기뻐요")
    assert "no text" in lines[1]
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_predict_prints_all_probabilities_as_json(emojob):
    _, out, _ = emojob("predict", "--json", "기뻐요", "")
    first, second = map(json.loads, out.splitlines())
    assert first["emotion"] == max(first["probabilities"], key=first["probabilities"].get)
    assert abs(sum(first["probabilities"].values()) - 1) < 1e-4
    assert second["emotion"] is None


def test_predict_runs_in_fp32_unless_another_precision_is_given(emojob):
    as_it_comes, exact, _ = (
        emojob("predict", "--json", *given, "기뻐요", "걱정돼요 정말")[1]
        for given in ([], ["--precision", "fp32"], ["--precision", "bf16"])
    )
    assert as_it_comes == exact


def test_predict_reads_standard_input(tiny_model):
    result = CliRunner().invoke(cli, ["predict", "--model", str(tiny_model)], input="하나\r\n둘\n셋")
    assert [line.split("  ")[-1] for line in result.output.splitlines()] == ["하나", "둘", "셋"]


def test_predict_scores_each_text_alone_unless_dialogue_is_given(emojob, pair_model, monkeypatch):
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


def test_a_model_without_context_refuses_a_dialogue(emojob):
    code, _, err = emojob("predict", "--dialogue", "네")
    assert code == 2
    assert "trained with the context 'none'" in one_line(err)


def test_the_encoding_of_standard_input_is_detected(monkeypatch, emojob):
    texts = "정말 화가 나요\n고마워요\n"
    expected = emojob("predict", *texts.split("\n")[:2])
    for encoding in ("utf-8", "cp949", "utf-16"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(texts.encode(encoding))))
        assert emojob("predict") == expected


def test_a_terminal_without_text_gets_a_hint(monkeypatch, emojob):
    terminal = io.StringIO("고마워요\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    code, out, err = emojob("predict")
    assert (code, out.count("\n")) == (0, 1)
    assert "enter one text on each line" in err


@pytest.mark.parametrize(("text", "kind"), [
    ('{"text": "좋아요"}\n', "JSON"), ("id,text\n1,좋아요\n", "a table"), ('"id"\t"본문"\n', "a table"),
    ("좋아요, 정말\n", ""), ("text\n", ""), ("", ""), ("[1]\n", ""),
])  # fmt: skip
def test_a_table_or_json_on_standard_input_is_named(emojob, monkeypatch, text, kind):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, err = emojob("predict")
    assert (code, len(out.splitlines())) == (0, len(text.splitlines()))
    assert ("looks like" in err) == bool(kind)
    assert not kind or f"`emojob score FILE` reads {kind}" in one_line(err)
