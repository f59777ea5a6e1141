"""How many times faster emojob is than the notebook it grew out of, on the same rows in the same run.

    python tests/benchmarks/against_notebook.py ARCHIVE [--text-column C] [--rows 2000] [--notebook-rows 512]

The model has KoBERT's size and random weights (speed does not depend on what they are). The notebook's loop is fp32,
every text padded to 64 tokens, batches of 64, through stock transformers; emojob runs its whole job, Parquet to
Parquet, with what `auto` chooses. Both use the same tokenizer and the same number of threads. Since other work on the
machine slows both, compare the ratio and not the rates; --rounds repeats the pair.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import click
import torch
from transformers import BertConfig, BertForSequenceClassification

from pipeline import machine
from pipeline.archive import open_archive, windows
from pipeline.benchmark import measure
from pipeline.inputs import find_inputs
from pipeline.tokenizer import KoBertTokenizer
from schemas.labels import DEFAULT_LABELS
from schemas.options import ModelOptions

SPIECE = Path(__file__).parents[1] / "pipeline" / "golden" / "spiece.model"


def kobert_sized_model(folder: Path) -> BertForSequenceClassification:
    """Write a model folder of KoBERT's size with random weights; returns the stock model in fp32."""
    torch.manual_seed(0)
    config = BertConfig(vocab_size=8002, pad_token_id=1, id2label=dict(enumerate(DEFAULT_LABELS)))
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    shutil.copy(SPIECE, folder / "spiece.model")
    return model


def notebook_rate(model: BertForSequenceClassification, texts: list[str]) -> float:
    """Rows per second of the notebook's loop: fp32, padded to 64 tokens, batches of 64."""
    tokenizer = KoBertTokenizer(SPIECE)
    model(input_ids=torch.ones((64, 64), dtype=torch.long))  # warm
    begun = time.perf_counter()
    with torch.no_grad():
        for batch in (texts[i : i + 64] for i in range(0, len(texts), 64)):
            rows = tokenizer.encode(batch, 64).tolist()
            ids = torch.tensor([row + [1] * (64 - len(row)) for row in rows])
            model(input_ids=ids, attention_mask=(ids != 1).long()).logits.softmax(-1).argmax(-1).tolist()
    return len(texts) / (time.perf_counter() - begun)


@click.command()
@click.argument("archive")
@click.option("--text-column")
@click.option("--rows", default=2000)
@click.option("--notebook-rows", default=512)
@click.option("--rounds", default=1)
def main(archive: str, text_column: str | None, rows: int, notebook_rows: int, rounds: int) -> None:
    """Print rows/s of both and their ratio."""
    torch.set_num_threads(machine.cores())
    opened = open_archive(find_inputs([archive]), text_column)
    first = next(windows(opened, opened.sources[0], rows=max(rows, notebook_rows)))
    texts = [text or "" for text in first.batch.column(opened.text_column).to_pylist()]
    with tempfile.TemporaryDirectory() as folder:
        model = kobert_sized_model(Path(folder))
        for _ in range(rounds):
            notebook = notebook_rate(model, texts[:notebook_rows])
            ours = measure(ModelOptions(model=folder), archive, opened.text_column, rows)
            click.echo(
                f"notebook {notebook:.1f} rows/s, emojob {ours['rows_per_second']:.1f} rows/s "
                f"({ours['engine']}, {ours['mean_tokens']} tokens a row): "
                f"{ours['rows_per_second'] / notebook:.1f} times"
            )


if __name__ == "__main__":
    main()
