"""Train a small GPT-2 model on pairs of a question and an answer, to see whether it learns.

    PYTHONPATH=. python tests/benchmarks/replies/small_gpt2.py DATA.csv... [--epochs 5] [--layers 4] [--size 256]
        [--vocabulary 8000]    (from the project's root)

DATA has the columns Q and A, or another form that `emojob train-replies` reads. The model starts with random weights
and has KoGPT2's form. Its tokenizer is trained on the questions and answers for training. The emotion of a question is
the label of the default model. A tenth of the questions is for early stopping, a tenth is held out. Prints the measures
on the held-out questions before and after training, those of the real answers, and 20 drafts. Where other programs use
the cores, OMP_NUM_THREADS=1 is faster.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2, load_gpt2, write_gpt2
from emojob.pipeline.replies.writing.sequence import Sequences
from emojob.training.finetune.watch import Callbacks, Progress
from emojob.training.replies.gpt2.measures import TrainingAnswers, measure_drafts, spread, write_drafts
from emojob.training.replies.gpt2.packing import Triple
from emojob.training.replies.gpt2.run import Gpt2Parts, prepare_gpt2
from emojob.training.replies.gpt2.trainer import Gpt2Recipe
from emojob.training.replies.pairs import Pairs, read_pairs
from emojob.training.replies.question_splits import split_questions
from tests.pipeline.replies.writing.tiny_gpt2 import SPECIAL


def small_tokenizer(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """Return a byte-pair tokenizer with KoGPT2's control tokens, trained on texts."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write_random(folder: Path, tokenizer: Tokenizer, layers: int, size: int, seed: int) -> None:
    """Write a model with random weights into a new folder."""
    sequences = Sequences(tokenizer)
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=sequences.tokens, n_positions=128, n_embd=size, n_layer=layers, n_head=max(1, size // 64),
        bos_token_id=sequences.end, eos_token_id=sequences.end, pad_token_id=sequences.pad,
    )  # fmt: skip
    folder.mkdir()
    write_gpt2(Gpt2(GPT2LMHeadModel(config), sequences, "random"), folder)


def triples_of(pairs: Pairs, scorer: Scorer) -> list[Triple]:
    """Return question, emotion and answer of each pair. The default model labels the questions without an emotion."""
    found = pairs.with_answers()
    labels = scorer.score([pair.question for pair in found]).labels
    return [
        (pair.question, pair.emotion or str(label), str(pair.answer)) for pair, label in zip(found, labels, strict=True)
    ]


def progress_line(started: float) -> Callbacks:
    """Return callbacks that print a line for each 100 steps and each message."""

    def report(progress: Progress) -> None:
        if progress.step % 100 == 0:
            seconds = time.monotonic() - started
            click.echo(f"{seconds:5.0f} s  step {progress.step}/{progress.steps}  loss {progress.loss:.3f}")

    return Callbacks(report=report, note=lambda text: click.echo(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=8_000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    pairs = read_pairs(given.data)
    parts = split_questions(pairs, validation=0.1, test=0.1, seed=given.seed)
    scorer = Scorer.load()
    train, validation, test = (
        triples_of(pairs.take(rows), scorer) for rows in (parts.train, parts.validation, parts.test)
    )
    click.echo(
        f"{pairs.summary()}; {len(train):,} pairs for training, {len(validation):,} validation, {len(test):,} held out"
    )
    tokenizer = small_tokenizer(
        [text for question, _, answer in train for text in (question, answer)], given.vocabulary
    )
    recipe = Gpt2Recipe(
        epochs=given.epochs, batch=given.batch, learning_rate=given.learning_rate, max_length=64, seed=given.seed
    )
    with tempfile.TemporaryDirectory() as work:
        base, out = Path(work) / "base", Path(work) / "gpt2"
        write_random(base, tokenizer, given.layers, given.size, given.seed)
        started = time.monotonic()
        training = prepare_gpt2(str(base), Gpt2Parts(train, validation, test), recipe, {})
        outcome = training.train(out, progress_line(started), report_to=("none",))
        seconds = time.monotonic() - started
        known = TrainingAnswers.of(answer for _, _, answer in train)
        real = [answer for _, _, answer in spread(test, outcome.metrics["after"]["drafts"]["drafts"])]
        answers = asdict(measure_drafts(real, [True] * len(real), [], known))
        figures = {key: outcome.metrics[key] for key in ("before", "after")} | {"real answers": {"drafts": answers}}
        click.echo(
            f"{seconds:.0f} s with the measures; epoch {outcome.metrics['epoch_kept']} of {outcome.metrics['epochs']}"
        )
        for when, measures in figures.items():
            click.echo(f"{when}: {json.dumps(measures)}")
        gpt2 = load_gpt2(str(out))
        shown = spread(test, 20)
        for (question, emotion, answer), draft in zip(shown, write_drafts(gpt2, shown, recipe), strict=True):
            click.echo(f"{question} [{emotion}] -> {gpt2.sequences.decode(draft.ids)}    (real: {answer})")
    if given.json:
        given.json.write_text(json.dumps(figures | {"recipe": asdict(recipe), "seconds": seconds}), "utf-8")


if __name__ == "__main__":
    main()
