"""A plan counts what is left, from places all over the archive, and foretells the time of a run."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.running import dry_run
from emojob.pipeline.running.dry_run import plan_run
from emojob.pipeline.running.run import score_dataset
from emojob.schemas.errors import InputError
from emojob.schemas.options import ModelOptions, ScoreOptions


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(dry_run, "_SECONDS", 0.5)


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), precision="fp32", engine="torch")


@pytest.fixture
def dataset(tmp_path):
    """10,000 rows: short ones, and long ones behind them."""
    file = tmp_path / "log.parquet"
    texts = [f"네 {i}" for i in range(5_000)] + [
        f"{i}번째 손님은 배송이 늦어서 정말 화가 났다고 합니다" for i in range(5_000)
    ]
    pq.write_table(pa.table({"text": texts}), file, row_group_size=1_000)
    return file


def test_tokens_are_estimated_from_all_over_the_archive(dataset, model, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "_ROWS", 500)
    found = plan_run([str(dataset)], tmp_path / "out", ScoreOptions(), model)
    tokens = Scorer.load(options=model).prepare(pq.read_table(dataset)["text"].combine_chunks()).encoded.lengths.sum()
    assert (found["rows"], found["rows_complete"]) == (10_000, 0)
    assert found["tokens_about"] == pytest.approx(tokens, rel=0.05)
    assert found["seconds_about"] > 0
    assert not (tmp_path / "out").exists()


def test_what_is_complete_is_not_foretold_again(dataset, model, tmp_path):
    whole = plan_run([str(dataset)], tmp_path / "out", ScoreOptions(), model)
    score_dataset([str(dataset)], tmp_path / "out", ScoreOptions(limit=6_000), model)
    rest = plan_run([str(dataset)], tmp_path / "out", ScoreOptions(), model)
    assert rest["rows_complete"] == 6_000
    assert rest["tokens_about"] == pytest.approx(0.4 * whole["tokens_about"], rel=0.01)
    fresh = plan_run([str(dataset)], tmp_path / "out", ScoreOptions(fresh=True), model)
    assert (fresh["rows_complete"], fresh["tokens_about"]) == (0, whole["tokens_about"])
    limited = plan_run([str(dataset)], tmp_path / "new", ScoreOptions(limit=1_000), model)
    assert limited["tokens_about"] == pytest.approx(0.1 * whole["tokens_about"], rel=0.01)
    score_dataset([str(dataset)], tmp_path / "out", ScoreOptions(), model)
    assert "seconds_about" not in plan_run([str(dataset)], tmp_path / "out", ScoreOptions(), model)


def test_an_archive_without_text_has_no_estimate(model, tmp_path):
    pq.write_table(pa.table({"text": pa.nulls(50, pa.string())}), tmp_path / "none.parquet")
    found = plan_run([str(tmp_path / "none.parquet")], None, ScoreOptions(), model)
    assert found["rows"] == 50
    assert "seconds_about" not in found


def test_an_engines_rate_counts_each_text_once(model):
    scorer = Scorer.load(options=model)
    encoded = scorer.prepare(pa.array(sample_texts())).encoded
    seen = []
    run = scorer.engine.run

    def counted(batches):
        for batch in batches:
            seen.append(len(batch.firsts))
            yield from run([batch])

    scorer.engine.run = counted
    assert tokens_per_second(scorer.engine, encoded, 256, 60) > 0
    assert sum(seen) == (encoded.lengths > 2).sum()


def test_pairs_are_counted_as_pairs(make_model, tmp_path):
    texts = [f"{i}번째 손님은 배송이 늦어서 화가 났다고 합니다" for i in range(4_000)]
    pq.write_table(pa.table({"dialog_id": [i // 10 for i in range(4_000)], "text": texts}), tmp_path / "log.parquet")
    model = ModelOptions(model=str(make_model(emojob_context="previous")), precision="fp32", engine="torch")
    found = plan_run([str(tmp_path / "log.parquet")], None, ScoreOptions(), model)
    run = score_dataset([str(tmp_path / "log.parquet")], None, ScoreOptions(), model).run
    assert found["tokens_about"] == pytest.approx(run["this_run"]["tokens"], rel=0.05)


def test_what_a_kept_memo_knows_takes_no_time(dataset, model, tmp_path):
    options = ScoreOptions(memo=str(tmp_path / "kept.memo"))
    first = plan_run([str(dataset)], tmp_path / "out", options, model)
    score_dataset([str(dataset)], tmp_path / "out", options, model)
    again = plan_run([str(dataset)], tmp_path / "anew", options, model)
    assert again["rows_per_second_about"] > 1.5 * first["rows_per_second_about"]


def test_what_a_run_would_refuse_is_refused(dataset, model, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "letter.txt").touch()
    (tmp_path / "own.parquet").write_bytes(dataset.read_bytes())
    score_dataset([str(dataset)], tmp_path / "out", ScoreOptions(limit=10), model)
    for out, options in (
        ("own", ScoreOptions()),
        ("own.parquet", ScoreOptions()),
        ("out", ScoreOptions(prefix="x_")),
        ("new", ScoreOptions(time_column="when")),
        ("new", ScoreOptions(memo=str(tmp_path / "own" / "letter" / "a.memo"))),
    ):
        for call in (plan_run, score_dataset):
            with pytest.raises(InputError):
                call([str(dataset)], tmp_path / out, options, model)


def test_one_file_that_is_complete_is_not_foretold_again(dataset, model, tmp_path):
    score_dataset([str(dataset)], tmp_path / "all.parquet", ScoreOptions(), model)
    found = plan_run([str(dataset)], tmp_path / "all.parquet", ScoreOptions(), model)
    assert (found["rows_complete"], "seconds_about" in found) == (10_000, False)
