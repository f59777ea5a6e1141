"""Measure the time that the memo saves on logs with many repeated texts.

    python tests/benchmarks/call_centre.py [--rows 40000] [--repeats 0.35] [--rounds 2] [--model M]

Makes the log of a call centre: a share of the rows are short replies drawn from Zipf's distribution (a few are
frequent, most are rare); the other rows are combined from phrases and unique. The log is labelled in row batches with
and without the memo, one after the other in each round, so that other load on the machine affects both. Prints the
share of the time that the memo saves, and compares it with the share of repeated tokens.
"""

from __future__ import annotations

import itertools
import time

import click
import numpy as np
import pyarrow as pa

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Prepared
from emojob.schemas.options import ModelOptions

ROW_BATCH = 10_000

_STARTS = ["네", "네네", "아 네", "아니요", "예", "잠시만요", "죄송하지만", "그런데", "혹시", "그러면"]
_MIDDLES = [
    "알겠습니다",
    "감사합니다",
    "확인해 볼게요",
    "괜찮아요",
    "맞아요",
    "그건 아니에요",
    "기다릴게요",
    "다시 걸게요",
]
_ENDS = ["", "요", "고객님", "수고하세요", "부탁드려요", "정말로요", "오늘 중으로요", "이따가요", "먼저요", "천천히요"]

_WHO = ["어머니가", "동생이", "제가", "남편이", "회사에서", "아이가", "친구가", "이웃이"]
_WHAT = ["주문한 책장을", "맡긴 코트를", "예약한 방을", "새 전화기를", "보험 서류를", "고장 난 세탁기를", "정기 배송을"]
_HOW = [
    "아직 못 받아서 속상해요",
    "벌써 두 번이나 바꿨는데 또 그래요",
    "취소하고 싶은데 방법을 모르겠어요",
    "덕분에 잘 쓰고 있어요",
]


def replies(rng: np.random.Generator, rows: int) -> list[str]:
    """Return short replies, each drawn with weight 1 / rank."""
    distinct = [" ".join(filter(None, parts)) for parts in itertools.product(_STARTS, _MIDDLES, _ENDS)]
    rng.shuffle(distinct)
    weights = 1 / np.arange(1, len(distinct) + 1)
    return [distinct[i] for i in rng.choice(len(distinct), rows, p=weights / weights.sum())]


def unique_utterances(rng: np.random.Generator, rows: int) -> list[str]:
    """Return utterances with a running number, so that none repeats."""
    parts = [[options[i] for i in rng.integers(0, len(options), rows)] for options in (_WHO, _WHAT, _HOW)]
    return [
        f"{who} {what} {how}, 접수번호 {10_000 + n}번" for n, (who, what, how) in enumerate(zip(*parts, strict=True))
    ]


def call_centre(rows: int, repeats: float, seed: int = 0) -> list[str]:
    """Return a log; repeats: share of its rows that are short replies."""
    rng = np.random.default_rng(seed)
    short = round(rows * repeats)
    texts = np.array(replies(rng, short) + unique_utterances(rng, rows - short), object)
    rng.shuffle(texts)
    return list(texts)


def seconds(scorer: Scorer, texts: list[str], use_memo: bool) -> float:
    """Return the seconds to label the texts. use_memo: if false, every row is inferred."""
    rng = np.random.default_rng(2)
    begun = time.perf_counter()
    for start in range(0, len(texts), ROW_BATCH):
        column = pa.array(texts[start : start + ROW_BATCH], pa.large_string())
        if use_memo:
            prepared = scorer.prepare(column)
        else:
            encoded = scorer.model.tokenizer.encode(column, scorer.options.max_length)
            keys = rng.integers(0, 2**64, (len(column), 2), dtype=np.uint64)  # a different key for each row
            prepared = Prepared(encoded, keys, np.arange(len(column)))
        scorer.label(prepared, scorer.infer(prepared))
    return time.perf_counter() - begun


@click.command()
@click.option("--rows", default=40_000)
@click.option("--repeats", default=0.35)
@click.option("--rounds", default=2)
@click.option("--model")
def main(rows: int, repeats: float, rounds: int, model: str | None) -> None:
    """Print rows/s with and without the memo, and the share of time saved."""
    texts = call_centre(rows, repeats)
    for _ in range(rounds):
        with_memo, without = (Scorer.load(model, ModelOptions(), may_measure=True) for _ in range(2))
        for scorer in (with_memo, without):
            scorer.score(unique_utterances(np.random.default_rng(1), 2_000))  # warm up
            scorer.tally.tokens = scorer.tally.inferred_tokens = 0
        spent, spent_without = seconds(with_memo, texts, True), seconds(without, texts, False)
        repeated = 1 - with_memo.tally.inferred_tokens / with_memo.tally.tokens
        gain = 1 - spent / spent_without
        click.echo(
            f"{with_memo.choice.engine} in {with_memo.choice.precision}: {rows / spent:,.0f} rows/s with the memo, "
            f"{rows / spent_without:,.0f} without; {1 - len(set(texts)) / rows:.1%} of the rows and {repeated:.1%} "
            f"of the tokens repeat; {gain:.1%} of the time is saved, {gain / repeated:.2f} of that share"
        )


if __name__ == "__main__":
    main()
