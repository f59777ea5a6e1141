"""Measure how fast answers are written: in batches, and one prompt at a time by transformers.

    PYTHONPATH=. python tests/benchmarks/replies/draft_generation.py [--model DIR] [--drafts 64] [--single 4]
        [--rounds 3] [--threads 2]    (from the project's root)

Without --model, the model has KoGPT2's shape (125 million weights) and random weights. A round writes `single` drafts
with transformers (greedy, with its cache of keys and values), then all drafts with emojob, in the same process. Prints
drafts per second of both, the ratio, tokens per second, and the time of the matrix products alone. `CPU` counts the
seconds of the processor, which other programs on the machine change less than the seconds of the clock. Every answer of
transformers is compared with that of emojob.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

import click
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from emojob.pipeline.replies.writing.decoder import Decoder
from emojob.pipeline.replies.writing.generation import Generated, GenerationOptions, generate
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2, load_gpt2
from tests.pipeline.replies.writing.tiny_gpt2 import by_transformers

Times = tuple[float, float]


class RandomSequences:
    """Stands in for the token sequences of a model without a tokenizer."""

    end, pad = 1, 3


def random_gpt2() -> Gpt2:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=51_200, bos_token_id=1, eos_token_id=1, pad_token_id=3)
    return Gpt2(GPT2LMHeadModel(config).eval(), RandomSequences(), "random weights")  # type: ignore[arg-type]


def timed(work: Callable[[], object]) -> Times:
    """Return (seconds of the clock, seconds of the processor)."""
    begun = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def difference(gpt2: Gpt2, prompt: list[int], one: Generated, two: Generated) -> float | None:
    """Return the difference of the two best logits where two answers become different; None if they are equal."""
    if one == two:
        return None
    ids = [[*each.ids, gpt2.sequences.end] for each in (one, two)]
    same = next(i for i in range(len(ids[0])) if ids[0][i] != ids[1][i])
    with torch.inference_mode():
        logits = gpt2.model(torch.tensor([prompt + ids[0][:same]])).logits[0, -1]
    return abs(float(logits[ids[0][same]] - logits[ids[1][same]]))


def matrix_products(decoder: Decoder, rows: int, prompts: list[list[int]], tokens: int) -> None:
    """Compute the products with weight matrices that the drafts need, and nothing else."""
    hidden = decoder.heads * decoder.size
    with torch.inference_mode():
        for start in range(0, len(prompts), rows):
            batch = prompts[start : start + rows]
            first = torch.randn(sum(map(len, batch)), hidden)
            for x in [first, *[torch.randn(len(batch), hidden)] * (tokens - 1)]:
                for layer in decoder._layers:
                    layer._qkv(x)
                    layer._attended(x)
                    layer._down(layer._up(x))
                decoder._logits(x[: len(batch)])


def measure_round(gpt2: Gpt2, prompts: list[list[int]], given: argparse.Namespace) -> list[float]:
    """Measure one round, print it, and return (ratio by the clock, ratio by the processor, share of the products)."""
    options = GenerationOptions(given.tokens, given.ngram, batch_rows=given.rows)
    single: list[Generated] = []
    batch: list[Generated] = []
    one = timed(lambda: single.extend(by_transformers(gpt2, prompt, options) for prompt in prompts[: given.single]))
    all_ = timed(lambda: batch.extend(generate(gpt2, prompts, options)))
    decoder = Decoder(gpt2.model)
    products = timed(lambda: matrix_products(decoder, given.rows, prompts, given.tokens))
    written = sum(len(answer.ids) + answer.ended for answer in batch)
    ratios = [(one[i] / given.single) / (all_[i] / given.drafts) for i in range(2)]
    apart = [difference(gpt2, *three) for three in zip(prompts, single, batch, strict=False)]
    others = [f"{one:.1e}" for one in apart if one is not None]
    click.echo(
        f"transformers {given.single / one[0]:.3f} drafts/s, emojob {given.drafts / all_[0]:.3f} drafts/s "
        f"({written / all_[0]:,.0f} tokens/s): {ratios[0]:.1f} times (CPU: {given.single / one[1]:.3f}, "
        f"{given.drafts / all_[1]:.3f}, {written / all_[1]:,.0f} tokens/s: {ratios[1]:.1f} times); products alone "
        f"{products[0] / all_[0]:.0%} of the time (CPU {products[1] / all_[1]:.0%}); same answers "
        f"{apart.count(None)} of {len(apart)}{', differences of the logits ' + ', '.join(others) if others else ''}"
    )
    return [*ratios, products[1] / all_[1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder of a GPT-2 model; default: random weights")
    for name, default in {"drafts": 64, "single": 4, "rounds": 3, "threads": 2, "tokens": 48, "ngram": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rows", type=int, default=GenerationOptions().batch_rows, help="answers at a time")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    gpt2 = load_gpt2(given.model) if given.model else random_gpt2()
    chosen = random.Random(0)
    tokens = range(200, gpt2.model.config.vocab_size)
    prompts = [chosen.choices(tokens, k=chosen.randint(15, 25)) for _ in range(given.drafts)]
    generate(gpt2, prompts[:1], GenerationOptions(2))  # packs the matrices
    rounds = [measure_round(gpt2, prompts, given) for _ in range(given.rounds)]
    for name, figures in zip(("clock", "CPU"), zip(*rounds, strict=True), strict=False):
        click.echo(
            f"ratio by the {name}: median {statistics.median(figures):.1f}, "
            f"from {min(figures):.1f} to {max(figures):.1f}"
        )


if __name__ == "__main__":
    main()
