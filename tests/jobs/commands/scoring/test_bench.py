"""`emojob bench` as a user types it."""

import json


def test_bench_measures_the_whole_job(emojob, tmp_path):
    file = tmp_path / "figures.json"
    code, out, _ = emojob("bench", "--rows", 300, "--json", file)
    figures = json.loads(file.read_text())
    assert code == 0
    assert figures["rows"] == 300
    assert figures["rows_per_second"] > 0
    assert 0 <= figures["padding_share"] < 0.03
    assert set(figures["stage_seconds"]) == {"read", "tokenize", "infer", "label", "write"}
    assert " rows/s" in out
    assert "engine alone" in out
