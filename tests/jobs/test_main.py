"""What all commands have in common: environment variables, and errors in one line."""

import pytest

from emojob.jobs.main import cli, main
from emojob.pipeline.inference.scorer import Scorer
from tests.command_line import one_line


@pytest.fixture(scope="module")
def labelled(tiny_model, tmp_path_factory):
    """Return a dataset and its labelled archive."""
    folder = tmp_path_factory.mktemp("labelled")
    log, out = folder / "log.csv", folder / "out"
    log.write_text("text\n네\n좋아요\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["score", str(log), "-o", str(out), "--model", str(tiny_model), "--quiet"])
    return log, out


@pytest.mark.parametrize("name", ["가" * 90, "가/" * 1_500, "nowhere/x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "{log}", "-o", "{out}x", "--quiet", "--model", "{name}"),
        ("score", "{log}", "-o", "{out}x", "--quiet", "--memo", "{name}"),
        ("score", "{log}", "-o", "{out}x", "--quiet", "--calibration", "{name}.csv"),
        ("forget", "{name}", "--yes", "--where", "1 = 1"),
        ("report", "{out}", "--json", "{name}"),
        ("report", "{out}", "--html", "{name}"),
        ("sql", "{out}", "SELECT 1", "--format", "csv", "-o", "{name}"),
        ("sql", "{out}", "--export", "{name}"),
        ("sample", "{out}", "--uncertain", "1", "-o", "{name}"),
        ("nightly", "{name}", "--init"),
        ("bench", "--json", "{name}"),
        ("evaluate", "{log}", "--json", "{name}"),
        ("train", "{name}", "-o", "{out}/model"),
    ],
)
def test_an_impossible_path_is_one_line_and_exit_code_2(emojob, labelled, arguments, name):
    log, out = labelled
    before = sorted(out.rglob("*"))
    code, printed, err = emojob(*(one.format(log=log, out=out, name=name) for one in arguments))
    assert (code, printed) == (2, "")
    one_line(err)
    assert sorted(out.rglob("*")) == before


def test_every_option_has_an_environment_variable(emojob, log, monkeypatch):
    monkeypatch.setenv("EMOJOB_MAX_LENGTH", "2")
    assert "--max-length 2" in emojob("score", log)[2]


@pytest.mark.parametrize("command", cli.commands.values(), ids=cli.commands)
def test_environment_variables_have_the_names_of_the_options(command):
    for option in command.params:
        for name in option.opts:
            if name.startswith("--") and option.expose_value:
                assert f"EMOJOB_{name[2:].replace('-', '_').upper()}" in option.envvar


def test_a_column_is_hashed_by_environment_variable(emojob, log, monkeypatch, tmp_path):
    monkeypatch.setenv("EMOJOB_HASH_COLUMN", "nothing")
    monkeypatch.setenv("EMOJOB_HASH_KEY", "a key of more than sixteen bytes")
    code, _, err = emojob("score", log, "-o", tmp_path / "out")
    assert code == 2
    assert "--hash-column nothing" in err


def test_debug_adds_the_traceback(emojob):
    code, _, err = emojob("score", "nowhere.csv", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("emojob: ")


def test_an_internal_error_shows_no_dialogue(emojob, monkeypatch):
    def fail(self, texts, previous=None):
        raise RuntimeError(f"while at {texts}")

    monkeypatch.setattr(Scorer, "score", fail)
    code, _, err = emojob("predict", "비밀 이야기")
    assert code == 1
    assert "비밀" not in one_line(err)
