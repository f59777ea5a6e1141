"""Measure the masking of personal data, on the texts of a dataset and on texts that often have personal data.

python tests/benchmarks/masking.py DATASET [--text-column C]
"""

import argparse
import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.privacy.pii.masking import mask
from emojob.pipeline.reading.dataset import first_texts

SET = Path(__file__).parents[1] / "pipeline" / "privacy" / "pii"
ROWS = 1_000_000
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--text-column")
    given = parser.parse_args()
    mask(pa.array(["010-1234-5678"]))  # warm up
    texts_of_dataset = first_texts(given.dataset, given.text_column, ROWS)
    test_set = [
        json.loads(line)["text"]
        for name in ("positive.jsonl", "negative.jsonl")
        for line in (SET / name).read_text(encoding="utf-8").splitlines()
    ]
    from_test_set = pa.array([f"{text} {i}번째" for i, text in enumerate(test_set * 200)], pa.large_string())
    print(f"{'texts':>40} {'number':>10} {'masked':>8} {'texts/s':>10}")  # noqa: T201
    for name, texts in (
        ("of the dataset", texts_of_dataset),
        ("of the test set, half with personal data", from_test_set),
    ):
        best = 0.0
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            masked = mask(texts)
            best = max(best, len(texts) / (time.perf_counter() - begun))
        changed = pc.sum(pc.not_equal(masked, texts).cast(pa.int64())).as_py()
        print(f"{name:>40} {len(texts):>10,} {changed / len(texts):>8.2%} {best:>10,.0f}")  # noqa: T201


if __name__ == "__main__":
    main()
