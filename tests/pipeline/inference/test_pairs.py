"""A model of pairs reads each utterance with the previous one, as it was trained."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.schemas.columns import EMPTY, SCORED, STATUSES, TRUNCATED
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.options import ModelOptions
from tests.dialogues import BLANK
from tests.examples import examples

TEXTS = sample_texts()[:200]


@pytest.fixture(scope="module")
def pair_model(make_model):
    """Return a model folder for a model that was trained on pairs."""
    return make_model(emojob_context="previous")


@pytest.fixture(scope="module")
def scorer(pair_model) -> Scorer:
    return load(pair_model)


def load(folder, **options) -> Scorer:
    return Scorer.load(str(folder), ModelOptions(**{"precision": "fp32", **options}))


def test_probabilities_of_pairs_are_those_of_stock_transformers(pair_model, scorer):
    previous = [None, *TEXTS[:-1]]
    stock = AutoModelForSequenceClassification.from_pretrained(pair_model, dtype=torch.float32).eval()
    expected, without_segments = [], []
    for before, text in zip(previous, TEXTS, strict=True):
        pair = scorer.model.tokenizer.encode([text if before is None else before], 64, before and [text])
        ids = torch.from_numpy(pair.ids.astype(np.int64))[None]
        segments = torch.zeros_like(ids) if before is None else torch.from_numpy(pair.segments.astype(np.int64))[None]
        with torch.inference_mode():
            expected.append(stock(input_ids=ids, token_type_ids=segments).logits.softmax(-1).numpy())
            without_segments.append(stock(input_ids=ids).logits.softmax(-1).numpy())
    got = scorer.score(TEXTS, previous).probabilities
    assert np.abs(got - np.concatenate(expected)).max() < 1e-5
    assert np.abs(got - np.concatenate(without_segments)).max() > 1e-3
    assert np.abs(got - scorer.score(TEXTS).probabilities).max() > 1e-3


_WORDS = st.lists(st.sampled_from(["네", "정말", "고마웠어요", "1,000원", "왜", "늦어요"]), max_size=9).map(" ".join)


_TEXTS = st.one_of(st.none(), _WORDS, st.sampled_from(["", " ", "\u200b"]))


@examples(80)
@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=8), st.sampled_from([5, 6, 9, 64, None]))
def test_a_text_is_encoded_after_its_previous_one_or_alone(golden_tokenizer, rows, max_length):
    previous, texts = [one for one, _ in rows], [one for _, one in rows]
    encoded = golden_tokenizer.encode_with_previous(texts, previous, max_length)
    assert len(encoded.segments) == len(encoded.ids)
    segments = np.split(encoded.segments, encoded.offsets[1:-1]) if rows else []
    for i, ids in enumerate(encoded.tolist()):
        before, text = (golden_tokenizer.encode([one], None).lengths[0] > 2 for one in (previous[i], texts[i]))
        if before and text:
            alone = golden_tokenizer.encode([previous[i]], max_length, [texts[i]])
            assert segments[i].tolist() == alone.segments.tolist()
        else:
            alone = golden_tokenizer.encode([texts[i]], max_length)
            assert not segments[i].any()
        assert ids == alone.ids.tolist()
        assert encoded.truncated[i] == alone.truncated[0]


@pytest.fixture(scope="module")
def golden_tokenizer(pair_model) -> KoBertTokenizer:
    return KoBertTokenizer(pair_model / "spiece.model")


def test_a_pair_needs_room_for_five_tokens(golden_tokenizer, pair_model):
    with pytest.raises(ValueError, match="give at least 5"):
        golden_tokenizer.encode_with_previous(["네"], ["왜"], 4)
    with pytest.raises(OptionError, match=r"--max-length 4 .* from 5 to 512"):
        load(pair_model, max_length=4)
    with pytest.raises(OptionError, match=r"--max-length 4 .* from 5 to 512"):
        ModelOptions(context="previous", max_length=4)
    scored = load(pair_model, max_length=5).score(["정말 고마웠어요", "네"], ["늦었어요", None])
    assert [STATUSES[i] for i in scored.statuses] == [TRUNCATED, SCORED]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_neighbours_and_memo_do_not_change_a_single_bit_of_a_pair(make_model, precision):
    pair_model = make_model(emojob_context="previous", hidden_size=128)  # bf16 kernels for tiny heads round by batch
    previous = [*TEXTS[50:], *([None] * 50)]
    expected = load(pair_model, precision=precision).score(TEXTS, previous).probabilities
    for batch_tokens in (1, 77, 500):
        other = load(pair_model, precision=precision, batch_tokens=batch_tokens)
        other.score(TEXTS[::3], previous[::3])
        assert np.array_equal(other.score(TEXTS, previous).probabilities, expected), batch_tokens


def test_a_pair_seen_before_is_not_inferred_again_but_another_is(pair_model):
    scorer = load(pair_model)
    scorer.score(["네", "네", "네", "네"], ["왜 늦어요", "고마워요", " 왜  늦어요", None])
    assert scorer.tally.inferred_rows == 3
    scorer.score(["네", "고마워요"], ["고마워요", "네"])
    assert scorer.tally.inferred_rows == 4


def test_blank_texts_stay_empty_with_any_previous_text(scorer):
    scored = scorer.score(["기뻐요", *BLANK], ["안녕하세요"] * 5)
    assert [STATUSES[i] for i in scored.statuses] == [SCORED, EMPTY, EMPTY, EMPTY, EMPTY]
    alone = scorer.score(["기뻐요"] * 5, [None, *BLANK]).probabilities
    assert np.array_equal(alone, np.repeat(scorer.score(["기뻐요"]).probabilities, 5, axis=0))


def test_a_truncated_pair_has_the_status_truncated(pair_model):
    long = "말이 끝없이 길어지면 뒤는 읽히지 않습니다 정말로 " * 3
    scored = load(pair_model, max_length=16).score(["네", "네", long], [long, "왜요", "네"])
    assert [STATUSES[i] for i in scored.statuses] == [TRUNCATED, SCORED, TRUNCATED]


def test_columns_of_any_string_type_are_prepared_alike(scorer):
    texts, previous = pa.array(["기뻐요", None, "네", "네"]), pa.array([None, "왜", "왜", "기뻐요"])
    expected = scorer.score(texts.to_pylist(), previous.to_pylist()).probabilities
    for column in (texts, texts.cast(pa.large_string()), texts.dictionary_encode(), texts.cast(pa.string_view())):
        for before in (previous, previous.cast(pa.large_string()), previous.dictionary_encode()):
            prepared = scorer.prepare(column, before)
            assert np.array_equal(
                scorer.label(prepared, scorer.infer(prepared)).probabilities, expected, equal_nan=True
            )


def test_a_model_without_context_takes_no_previous_texts(tiny_model):
    with pytest.raises(OptionError, match="trained with the context 'none'"):
        load(tiny_model).score(["네"], ["왜"])


def test_a_different_number_of_previous_texts_is_refused(scorer):
    with pytest.raises(OptionError, match="`texts` has 2 items, but `previous` has 1"):
        scorer.score(["네", "네"], ["왜"])


def test_no_flag_is_needed_and_the_wrong_one_is_an_error(pair_model, tiny_model):
    assert load(pair_model).options.context == load(pair_model, context="previous").options.context == "previous"
    assert load(tiny_model).options.context == "none"
    with pytest.raises(OptionError, match="give --context previous"):
        load(pair_model, context="none")
    assert load(pair_model).fingerprint != load(tiny_model).fingerprint


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"emojob_context": "next"}, "emojob_context 'next'"),
        ({"emojob_context": ["previous"]}, r"emojob_context \['previous'\]"),
        ({"emojob_context": "previous", "type_vocab_size": 1}, "type_vocab_size of at least 2"),
    ],
)
def test_an_unknown_context_is_refused(make_model, config, said):
    with pytest.raises(ModelError, match=said):
        load(make_model(**config))
