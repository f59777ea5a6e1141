"""The command that makes the default model."""

import pytest

from emojob.jobs.commands.models import make_model


def test_missing_corpora_end_in_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make_model", str(tmp_path), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as end:
        make_model.main()
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "nsmc_reviews.parquet" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
