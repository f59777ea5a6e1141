"""What the commands' tests share."""

import pytest

from jobs.main import main


@pytest.fixture
def emojob(tiny_model, monkeypatch, capsys):
    """Run a command in this process with the tiny model: (exit code, standard output, standard error)."""
    monkeypatch.setenv("EMOJOB_MODEL", str(tiny_model))

    def run(*arguments: object):
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run
