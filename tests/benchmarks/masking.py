"""How fast personal data is masked, on the texts of an archive and where nearly each text holds some.

python tests/benchmarks/masking.py ARCHIVE [--text-column C]
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
    parser.add_argument("archive")
    parser.add_argument("--text-column")
    given = parser.parse_args()
    mask(pa.array(["010-1234-5678"]))  # what is worked out once
    archive = first_texts(given.archive, given.text_column, ROWS)
    own = [
        json.loads(line)["text"]
        for name in ("positive.jsonl", "negative.jsonl")
        for line in (SET / name).read_text(encoding="utf-8").splitlines()
    ]
    every = pa.array([f"{text} {i}번째" for i, text in enumerate(own * 200)], pa.large_string())
    print(f"{'texts':>40} {'number':>10} {'masked':>8} {'texts/s':>10}")  # noqa: T201
    for name, texts in (("of the archive", archive), ("of the set, half of them personal", every)):
        best = 0.0
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            masked = mask(texts)
            best = max(best, len(texts) / (time.perf_counter() - begun))
        changed = pc.sum(pc.not_equal(masked, texts).cast(pa.int64())).as_py()
        print(f"{name:>40} {len(texts):>10,} {changed / len(texts):>8.2%} {best:>10,.0f}")  # noqa: T201


if __name__ == "__main__":
    main()
