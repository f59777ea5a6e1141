"""Defines `emojob convert`, which makes a model folder of a KoBERT checkpoint."""

from __future__ import annotations

import shlex
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.options.data_options import take_corpus_options
from emojob.jobs.options.every_command import SETTINGS, debug_option
from emojob.pipeline.storage.paths import is_object, parse_path
from emojob.schemas.errors import ModelError, OptionError, OutputError
from emojob.schemas.options import ENCODINGS

if TYPE_CHECKING:
    from emojob.training.evaluation.label_order import OrderCheck

_FILE = click.Path(path_type=Path)


@click.command(context_settings=SETTINGS, short_help="Make a model folder of a KoBERT checkpoint.")
@click.argument("checkpoint", metavar="CHECKPOINT", type=_FILE)
@click.option("-o", "--out", metavar="DIR", required=True, help="Folder to write the model to; it must be new.")
@click.option(
    "--labels", metavar="L1,L2,...", help="Names of the labels, in the order of the training.  [default: config.json]"
)
@click.option(
    "--tokenizer",
    metavar="FILE",
    type=_FILE,
    help="Tokenizer of the training: spiece.model, or a folder.  [default: beside CHECKPOINT]",
)
@click.option(
    "--base", metavar="M", help="Model of the same kind, for the number of attention heads and the tokenizer."
)
@click.option("--key", metavar="KEY", help="Key of the weights in CHECKPOINT, if it contains several models.")
@click.option(
    "--check",
    metavar="FILE",
    type=_FILE,
    help="File with texts and labels. Show the accuracy of the model for each order of the labels.",
)
@click.option("--text-column", metavar="C", help="Column of --check with the text.")
@click.option("--label-column", metavar="C", help="Column of --check with the label.")
@click.option("--label-map", metavar="NAME|FILE", help="Map that converts the labels of --check.")
@click.option(
    "--encoding", type=click.Choice(ENCODINGS), default="auto", show_default=True, help="Encoding of --check."
)
@debug_option
def convert(
    checkpoint: Path,
    out: str,
    labels: str | None,
    tokenizer: Path | None,
    base: str | None,
    key: str | None,
    check: Path | None,
    **given: Any,
) -> None:
    """Make a model folder of a KoBERT checkpoint, which emojob and transformers can load.

    CHECKPOINT is a file of torch.save, pickle.dump or safetensors, or a folder with such a file. No code in it runs.
    """
    folder = _check_paths(checkpoint, out, tokenizer, check)
    from emojob.jobs.terminal.evaluation_tables import evaluation_bar, print_orders
    from emojob.pipeline.models.checkpoints.conversion import convert as read
    from emojob.pipeline.models.checkpoints.conversion import new_model_folder

    names = None if labels is None else [unicodedata.normalize("NFC", name).strip() for name in labels.split(",")]
    converted = read(checkpoint, names, tokenizer, base, key)
    if check is not None and not converted.labels:
        raise OptionError(f"--check {check} needs labels, but CHECKPOINT {checkpoint} has no head: omit --check")
    _print_parts(converted)
    with new_model_folder(folder, converted) as written:
        if check is not None:
            from emojob.training.evaluation.label_order import check_order

            label_map, corpus = given.pop("label_map"), take_corpus_options(_with_defaults(given))
            with evaluation_bar() as on_scored:
                found = check_order(written, check, corpus, label_map, on_scored)
            print_orders(found)
            _refuse_order(found)
    _print_end(folder, converted.labels, check)


def _with_defaults(given: dict[str, Any]) -> dict[str, Any]:
    return {"conversation_column": None, "time_column": None, "date_order": None, **given}


def _check_paths(checkpoint: Path, out: str, tokenizer: Path | None, check: Path | None) -> Path:
    """Return the path of the model folder. Raises an InputError for a path that cannot be used."""
    if not checkpoint.exists():
        raise ModelError(
            f"CHECKPOINT {checkpoint} does not exist: give a file of torch.save or safetensors, or a folder"
        )
    for option, file in (("--tokenizer", tokenizer), ("--check", check)):
        if file is not None and not file.exists():
            raise OptionError(f"{option} {file} does not exist: give an existing file")
    if is_object(parse_path(out)):
        raise OptionError(f"-o {out} is a URL, but the model folder must be local: give a path, then copy the folder")
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"-o {out} is a file: give the path of a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"-o {out} is not empty: give the path of a new folder, or remove this folder first")
    return folder


def _print_parts(converted: Any) -> None:
    from emojob.jobs.terminal.text import plain

    shape, labels = converted.shape, converted.labels
    head = f"{len(labels)} labels" if labels else "no head"
    click.echo(
        f"  {shape.layers} layers, hidden size {shape.hidden_size}, {shape.heads} attention heads, "
        f"{shape.vocab_size:,} pieces, {shape.max_positions} positions, {head}"
    )
    for name in ("found", "dropped", "assumed"):
        for line in getattr(converted, name):
            click.echo(f"  {name:8} {plain(line)}")
    for line in converted.notes:
        click.echo(f"  note     {plain(line)}")
    if labels:
        click.echo(f"  labels   {plain(', '.join(f'{i} {label}' for i, label in enumerate(labels)))}")


def _refuse_order(found: OrderCheck) -> None:
    """Raise OptionError if another order of the labels is better. The message contains the command with that order."""
    if found.is_wrong:
        command = _command_with(",".join(found.best.labels))
        raise OptionError(
            f"--labels are in the wrong order: their accuracy is {found.given.accuracy:.3f}, and another order has "
            f"{found.best.accuracy:.3f}; nothing was written; give `{command}`, or omit --check"
        )


def _command_with(labels: str) -> str:
    """Return the command that the user gave, with other labels."""
    context = click.get_current_context()
    words = ["emojob", "convert", str(context.params["checkpoint"])]
    for option in context.command.params:
        value = labels if option.name == "labels" else context.params.get(option.name or "")
        if isinstance(option, click.Option) and value is not None and value != option.get_default(context):
            words += [option.opts[0], str(value)]
    return shlex.join(words)


def _print_end(folder: Path, labels: tuple[str, ...], check: Path | None) -> None:
    from emojob.jobs.terminal.text import plain

    name = plain(shlex.quote(str(folder)))
    click.echo(f"  model    {name}")
    if not labels:
        click.echo("  note     this is a base model without a classification head, so it gives no labels yet")
        click.echo(f"  next     emojob train --base {name} --data FILE -o NEW")
        return
    if check is None:
        click.echo("  note     the order of the labels is not checked; --check FILE (texts with labels) checks it")
    click.echo(f"  next     emojob score FILE.parquet --model {name}")
