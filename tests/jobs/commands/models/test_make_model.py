"""The command that makes the default model."""

import pytest

from emojob.jobs.commands.models import make_model


def test_missing_corpora_are_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make_model", str(tmp_path), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as end:
        make_model.main()
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert "nsmc_reviews.parquet" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
