"""Generation: what transformers writes, whatever the batch; random answers, limits, and stopping."""

import random
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation.logits_process import NoRepeatNGramLogitsProcessor

from emojob.pipeline.replies.writing import generation
from emojob.pipeline.replies.writing.generation import Generated, GenerationOptions, generate
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2
from emojob.pipeline.replies.writing.sampling import NGrams
from emojob.schemas.errors import Interrupted, OptionError
from tests.pipeline.replies.writing.tiny_gpt2 import by_transformers, tiny_gpt2


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute with one thread: threads take longer to start than a tiny model."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


CLOSE = 1e-4  # two logits that differ by less can be in any order


def prompts(count: int, longest: int = 30, seed: int = 0) -> list[list[int]]:
    chosen = random.Random(seed)
    return [[chosen.randrange(18, 219) for _ in range(chosen.randint(1, longest))] for _ in range(count)]


def best_two_differ_by(gpt2: Gpt2, ids: list[int], options: GenerationOptions) -> float:
    """Return the difference between the two highest logits after the given tokens."""
    with torch.inference_mode():
        logits = gpt2.model(torch.tensor([ids])).logits[:, -1]
        if options.no_repeat_ngram:
            logits = NoRepeatNGramLogitsProcessor(options.no_repeat_ngram)(torch.tensor([ids]), logits)
        best = logits[0].topk(2).values
    return float(best[0] - best[1])


def assert_same(gpt2: Gpt2, prompt: list[int], one: Generated, two: Generated, options: GenerationOptions) -> None:
    """Assert that two answers are equal up to a token where the two best ones were equally good."""
    ends = [[*each.ids, gpt2.sequences.end] if each.ended else each.ids for each in (one, two)]
    if ends[0] != ends[1]:
        same = next(i for i in range(99) if ends[0][i : i + 1] != ends[1][i : i + 1])
        assert best_two_differ_by(gpt2, prompt + ends[0][:same], options) < CLOSE


SHAPES = {
    "plain": {},
    "scaled by layer": {"scale_attn_by_inverse_layer_idx": True},
    "unscaled": {"scale_attn_weights": False, "initializer_range": 0.2},
    "relu": {"activation_function": "relu", "n_inner": 48},
    "one head": {"n_head": 1, "n_layer": 3},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ngram", [0, 1, 2, 3])
def test_greedy_answers_are_those_of_transformers(shape: str, ngram: int):
    gpt2 = tiny_gpt2(seed=2 + ngram, **SHAPES[shape])
    options = GenerationOptions(max_new_tokens=24, no_repeat_ngram=ngram)
    asked = prompts(6, seed=ngram)
    for prompt, written in zip(asked, generate(gpt2, asked, options), strict=True):
        assert_same(gpt2, prompt, written, by_transformers(gpt2, prompt, options), options)


@pytest.mark.slow
def test_the_shape_of_kogpt2_writes_what_transformers_writes_one_prompt_at_a_time():
    gpt2 = tiny_gpt2(1, scale=0.02, vocab_size=51_200, n_positions=1024, n_embd=768, n_layer=12, n_head=12)
    assert sum(weight.numel() for weight in gpt2.model.parameters()) == 125_164_032
    chosen, options = random.Random(3), GenerationOptions(max_new_tokens=12)
    asked = [[chosen.randrange(18, 51_200) for _ in range(length)] for length in (1, 2, 17, 200, 1012)]
    for prompt, one in zip(asked, generate(gpt2, asked, options), strict=True):
        assert_same(gpt2, prompt, one, by_transformers(gpt2, prompt, options), options)
        assert one.ended or len(one.ids) == 12


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_score_is_the_geometric_mean_of_the_probabilities_with_the_end(temperature: float):
    gpt2, asked = tiny_gpt2(seed=2), prompts(30)
    written = generate(gpt2, asked, GenerationOptions(16, no_repeat_ngram=2, temperature=temperature))
    assert {one.ended for one in written} == {True, False}
    for prompt, one in zip(asked, written, strict=True):
        targets = torch.tensor([*one.ids, gpt2.sequences.end] if one.ended else one.ids)
        ids = torch.tensor([[*prompt, *targets.tolist()]])
        with torch.inference_mode():
            log_probabilities = torch.log_softmax(gpt2.model(ids).logits[0, len(prompt) - 1 : -1], -1)
        expected = log_probabilities.gather(1, targets[:, None]).mean().exp()
        assert one.score == pytest.approx(expected.item(), rel=1e-3)


def test_some_answers_end_and_others_are_cut():
    gpt2 = tiny_gpt2(seed=2)
    written = generate(gpt2, prompts(50), GenerationOptions(max_new_tokens=40))
    assert {one.ended for one in written} == {True, False}
    assert all(len(one.ids) == 40 or one.ended for one in written)
    assert not any(gpt2.sequences.end in one.ids for one in written)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_an_answer_does_not_depend_on_the_batch(temperature: float):
    gpt2, asked = tiny_gpt2(seed=2), prompts(70)
    keys = [n * 7 for n in range(70)]
    first = generate(gpt2, asked, GenerationOptions(16, temperature=temperature, batch_rows=64), keys)
    for rows in (1, 3):
        options = GenerationOptions(16, temperature=temperature, batch_rows=rows)
        for prompt, one, two in zip(asked, first, generate(gpt2, asked, options, keys), strict=True):
            if temperature:
                assert one == two
            else:
                assert_same(gpt2, prompt, one, two, options)


def test_long_and_short_prompts_together(monkeypatch: pytest.MonkeyPatch):
    gpt2, asked = tiny_gpt2(seed=2), prompts(20, longest=6) + prompts(5, longest=100, seed=1)
    expected = generate(gpt2, asked)
    monkeypatch.setattr(generation, "_CACHE_BYTES", 2 * 4 * 2 * 32 * 300)  # at most 300 tokens
    monkeypatch.setattr(generation, "_PROMPT_TOKENS", 50)
    for prompt, one, two in zip(asked, expected, generate(gpt2, asked), strict=True):
        assert_same(gpt2, prompt, one, two, GenerationOptions())


@pytest.mark.parametrize("length", [0, 1, 100, 126, 127, 128, 129, 500])
def test_prompt_and_answer_fit_into_the_positions(length: int):
    gpt2 = tiny_gpt2()
    written = generate(gpt2, [[40] * length, [50, 51]], GenerationOptions(no_repeat_ngram=0))
    assert len(written[0].ids) == (min(48, max(0, 128 - length)) if length else 0) or written[0].ended
    assert len(written[1].ids) == 48 or written[1].ended


def test_random_answers_depend_on_seed_and_key_alone():
    gpt2, asked = tiny_gpt2(scale=0.2), [[40, 41, 42]] * 6
    options = GenerationOptions(temperature=1.0, seed=3)
    written = generate(gpt2, asked, options, [5, 6, 5, 7, -5, 5])
    assert written[0] == written[2] == written[5]
    assert len({tuple(one.ids) for one in written}) == 4
    assert generate(gpt2, asked, GenerationOptions(temperature=1.0, seed=4), [5] * 6) != [written[0]] * 6


def test_random_tokens_have_the_probabilities_of_the_model():
    gpt2 = tiny_gpt2(scale=0.3)
    options = GenerationOptions(max_new_tokens=1, temperature=0.7, top_p=0.8, no_repeat_ngram=0)
    written = [one.ids[0] if one.ids else gpt2.sequences.end for one in generate(gpt2, [[40, 41]] * 4000, options)]
    with torch.inference_mode():
        probabilities = torch.softmax(gpt2.model(torch.tensor([[40, 41]])).logits[0, -1] / 0.7, -1)
    ordered, tokens = probabilities.sort(descending=True)
    kept = int((ordered.cumsum(0) < 0.8).sum()) + 1
    assert set(written) <= set(tokens[:kept].tolist())
    for token, share in zip(tokens[:5].tolist(), (ordered[:kept] / ordered[:kept].sum())[:5].tolist(), strict=True):
        assert written.count(token) / 4000 == pytest.approx(share, abs=0.04)


def test_a_flat_distribution_is_sampled_from_the_whole_vocabulary():
    gpt2 = tiny_gpt2(scale=1e-5, vocab_size=1000)
    options = GenerationOptions(max_new_tokens=4, temperature=50.0, top_p=0.99, no_repeat_ngram=0)
    written = {token for one in generate(gpt2, [[40]] * 1000, options) for token in one.ids}
    assert len(written) > 900


@given(st.integers(0, 4), st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=8))
def test_n_grams_are_those_of_transformers(size: int, prompt: list[int], answer: list[int]):
    ngrams = NGrams(size, prompt)
    for token in answer:
        ngrams.append(token)
    ids = torch.tensor([prompt + answer], dtype=torch.long)
    logits = torch.zeros(1, 4)
    expected = NoRepeatNGramLogitsProcessor(size)(ids, logits) if size else logits
    assert set(ngrams.repeated_by()) == set(expected[0].isinf().nonzero()[:, 0].tolist())


def test_changed_weights_are_used():
    gpt2 = tiny_gpt2()
    before = generate(gpt2, prompts(5))
    with torch.no_grad():
        gpt2.model.transformer.wte.weight.mul_(-1)
    after = generate(gpt2, prompts(5))
    assert after != before
    gpt2.model.load_state_dict(tiny_gpt2().model.state_dict())
    assert generate(gpt2, prompts(5)) == before


def test_a_model_in_half_precision_writes_with_fp32():
    gpt2 = tiny_gpt2()
    gpt2.model.bfloat16()
    written = generate(gpt2, prompts(5))
    gpt2.model.float()
    assert generate(gpt2, prompts(5)) == written


def test_stopping_is_asked_before_each_token():
    asked = []
    with pytest.raises(Interrupted):
        generate(tiny_gpt2(), prompts(5), stopping=lambda: asked.append(1) or len(asked) > 3)
    assert len(asked) == 4


def test_nothing_to_write():
    assert generate(tiny_gpt2(), []) == []
    assert generate(tiny_gpt2(), [[], []]) == [Generated([], False)] * 2


@pytest.mark.parametrize(
    "wrong",
    [{"max_new_tokens": 0}, {"no_repeat_ngram": -1}, {"temperature": -0.1}, {"top_p": 0.0}, {"batch_rows": 0}],
)
def test_wrong_options(wrong: dict[str, int]):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        GenerationOptions(**wrong)
