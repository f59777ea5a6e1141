"""Labels equal those of a stock transformers forward pass, for any batches, row batches and memo."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference import scorer as module
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.system.prefetch import StopRequested
from emojob.schemas.columns import EMPTY, SCORED, STATUSES, TRUNCATED
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.options import ModelOptions
from tests.examples import examples

TEXTS = sample_texts()[:300]


def load(folder, **options) -> Scorer:
    return Scorer.load(str(folder), ModelOptions(**{"precision": "fp32", **options}))


@pytest.fixture(scope="module")
def reference(tiny_model) -> np.ndarray:
    """Return probabilities from stock transformers in fp32, one text at a time."""
    stock = AutoModelForSequenceClassification.from_pretrained(tiny_model, dtype=torch.float32).eval()
    encoded = load(tiny_model).model.tokenizer.encode(TEXTS).tolist()
    with torch.inference_mode():
        return np.concatenate([stock(input_ids=torch.tensor([ids])).logits.softmax(-1).numpy() for ids in encoded])


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_probabilities_in_fp32_are_those_of_stock_transformers(tiny_model, reference, engine):
    scored = load(tiny_model, engine=engine).score(TEXTS)
    assert np.abs(scored.probabilities - reference).max() < 1e-4
    assert (scored.emotions == reference.argmax(1)).mean() > 0.99
    assert len(set(scored.labels)) > 1


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_the_default_model_in_bf16_is_close_to_itself_in_fp32(engine):
    exact, quick = (
        Scorer.load(options=ModelOptions(engine=engine, precision=p)).score(TEXTS) for p in ("fp32", "bf16")
    )
    assert np.abs(exact.probabilities - quick.probabilities).max() < 0.03
    assert (exact.emotions == quick.emotions).mean() > 0.99


@pytest.fixture(scope="module")
def model_64_wide(make_model):
    """A model with 64 hidden units. With 32, oneDNN on AMX rounds batches of up to 16 rows differently."""
    return make_model(hidden_size=64, intermediate_size=256, num_attention_heads=4)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_batch_size_does_not_change_a_single_bit(model_64_wide, engine, precision):
    expected = load(model_64_wide, engine=engine, precision=precision).score(TEXTS).probabilities
    for batch_tokens in (1, 50, 333):
        options = {"engine": engine, "precision": precision, "batch_tokens": batch_tokens}
        got = load(model_64_wide, **options).score(TEXTS).probabilities
        assert np.array_equal(got, expected), batch_tokens


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_the_memo_and_the_neighbours_do_not_change_a_single_bit(tiny_model, engine):
    expected = load(tiny_model, engine=engine).score(TEXTS).probabilities
    scorer = load(tiny_model, engine=engine)
    scorer.score(TEXTS[::3])
    inferred = scorer.tally.inferred_rows
    assert np.array_equal(scorer.score(TEXTS).probabilities, expected)
    assert scorer.tally.inferred_rows < inferred + len(TEXTS[::3]) + len(set(TEXTS))


def test_a_text_seen_before_is_not_inferred_again(tiny_model):
    scorer = load(tiny_model)
    scorer.score(["네", "감사합니다", "네"])
    assert scorer.tally.inferred_rows == 2
    scorer.score(["감사합니다", " 네  "])
    assert scorer.tally.inferred_rows == 2
    assert scorer.tally.rows == 5


def test_null_and_blank_texts_have_no_label(tiny_model):
    scored = load(tiny_model).score(["기뻐요", None, "", " \u3000\t", "\u200b"])
    assert scored.labels[1:] == ["", "", "", ""]
    assert scored.labels[0] in scored.names
    assert [STATUSES[i] for i in scored.statuses] == [SCORED, EMPTY, EMPTY, EMPTY, EMPTY]
    assert np.isnan(scored.probabilities[1:]).all()


def test_a_text_longer_than_max_length_is_labelled_as_truncated(tiny_model):
    scored = load(tiny_model, max_length=8).score(["말이 끝없이 길어지면 뒤는 읽히지 않습니다 정말로", "짧아요"])
    assert [STATUSES[i] for i in scored.statuses] == [TRUNCATED, SCORED]


def test_probabilities_sum_to_one(tiny_model):
    scored = load(tiny_model, precision="bf16").score(TEXTS)
    assert np.abs(scored.probabilities.sum(1) - 1).max() < 1e-5


def test_a_temperature_flattens_probabilities_and_keeps_labels(change_config, tiny_model):
    plain = load(tiny_model).score(TEXTS)
    calm = load(change_config(emojob_temperature=3.0)).score(TEXTS)
    assert plain.labels == calm.labels
    assert calm.confidences.mean() < plain.confidences.mean()


@examples(30)
@given(rows=st.lists(st.sampled_from(["네", "네", "", None, "화가 나요", "정말 기쁘네요", "슬퍼요 ㅠㅠ"]), max_size=40))
def test_every_row_gets_its_own_texts_label(tiny_scorer, rows):
    one_by_one = {text: tiny_scorer.score([text]).labels[0] for text in set(rows)}
    assert tiny_scorer.score(rows).labels == [one_by_one[text] for text in rows]


@pytest.fixture(scope="module")
def tiny_scorer(tiny_model) -> Scorer:
    return load(tiny_model)


def test_dictionary_and_large_columns_are_scored_like_string_columns(tiny_scorer):
    texts = ["기뻐요", None, "기뻐요", "싫어요"]
    expected = tiny_scorer.score(texts).labels
    plain = pa.array(texts)
    for column in (plain, plain.cast(pa.large_string()), plain.dictionary_encode(), plain.cast(pa.string_view())):
        prepared = tiny_scorer.prepare(column)
        assert tiny_scorer.label(prepared, tiny_scorer.infer(prepared)).labels == expected
    prepared = tiny_scorer.prepare(pa.nulls(2))
    assert tiny_scorer.label(prepared, tiny_scorer.infer(prepared)).labels == ["", ""]


def test_lack_of_memory_halves_the_budget_and_loses_no_row(tiny_model, monkeypatch):
    expected = load(tiny_model).score(TEXTS).probabilities
    scorer = load(tiny_model)
    whole = scorer.engine.run

    def short_of_memory(batches):
        for batch in batches:
            if len(batch.ids) > 100:
                raise module.OutOfMemory("CUDA out of memory")
            yield from whole([batch])

    monkeypatch.setattr(scorer.engine, "run", short_of_memory)
    assert np.array_equal(scorer.score(TEXTS).probabilities, expected)
    assert scorer.batch_tokens <= 100
    assert scorer.tally.halvings >= 1


def test_a_single_text_that_does_not_fit_is_an_error(tiny_model, monkeypatch):
    scorer = load(tiny_model)

    def no_memory(batches):
        for _ in batches:
            raise module.OutOfMemory("CUDA out of memory")
        yield

    monkeypatch.setattr(scorer.engine, "run", no_memory)
    with pytest.raises(ModelError, match="too small"):
        scorer.score(["네"])


def test_inference_stops_on_request(tiny_scorer):
    with pytest.raises(StopRequested):
        tiny_scorer.infer(tiny_scorer.prepare(pa.array(["이 문장은 아직 본 적이 없어요"])), lambda: True)


def test_a_model_that_returns_nan_is_an_error(tiny_model, monkeypatch):
    scorer = load(tiny_model)
    monkeypatch.setattr(
        scorer.engine, "run", lambda batches: (np.full((len(one.firsts), 6), np.nan, np.float32) for one in batches)
    )
    with pytest.raises(ModelError, match="fp32"):
        scorer.score(["네"])


def test_nan_is_not_remembered(tiny_model, monkeypatch):
    scorer = Scorer.load(str(tiny_model), ModelOptions(precision="fp32", engine="torch"))
    run = scorer.engine.run
    monkeypatch.setattr(scorer.engine, "run", lambda batches: (np.full_like(one, np.nan) for one in run(batches)))
    with pytest.raises(ModelError):
        scorer.score(["오늘 참 좋다"])
    monkeypatch.setattr(scorer.engine, "run", run)
    assert scorer.score(["오늘 참 좋다"]).labels[0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "distance"), [("fp32", 1e-3), ("bf16", 0.03)])
def test_a_gpu_gives_the_cpus_probabilities(precision, distance):
    exact = Scorer.load(options=ModelOptions(device="cpu", precision="fp32")).score(TEXTS)
    there = Scorer.load(options=ModelOptions(device="cuda", precision=precision)).score(TEXTS)
    assert np.abs(exact.probabilities - there.probabilities).max() < distance


@pytest.mark.parametrize("options", [{"engine": "ray"}, {"context": "previous"}])
def test_unavailable_options_are_refused(tiny_model, options):
    with pytest.raises(OptionError):
        load(tiny_model, **options)
