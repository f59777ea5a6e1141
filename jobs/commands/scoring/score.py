"""Defines `emojob score`, which labels every utterance of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.schemas.errors import TOO_MANY_REJECTS, EmojobError, OptionError
from emojob.schemas.options import ENCODINGS, ScoreOptions

_DEFAULT = ScoreOptions()
_CONVERSATIONS = "Column with the conversation.  [default: a column with a usual name, if the model needs it]"


@click.command(context_settings=SETTINGS, short_help="Label every utterance of a dataset.")
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@click.option(
    "-o", "--out", metavar="OUT",
    help="Folder, or one file X.parquet.  [default: the folder INPUT-STEM.emotions beside INPUT]",
)  # fmt: skip
@click.option("--text-column", metavar="C", help="Column with the text.  [default: a column with a usual name]")
@click.option(
    "--encoding", type=click.Choice(ENCODINGS), default=_DEFAULT.encoding, show_default=True,
    help="Encoding of text files.",
)  # fmt: skip
@model_options
@click.option("--prefix", default=_DEFAULT.prefix, help="Prefix of the names of the added columns.")
@click.option("--conversation-column", metavar="C", help=_CONVERSATIONS)
@click.option("--time-column", metavar="C", help="Column with the time of each utterance, for reports.")
@click.option("--speaker-column", metavar="C", help="Column with the speaker, for reports.")
@click.option("--sample", is_flag=True, help="Label the sample that comes with the package.")
@click.option("--fresh", is_flag=True, help="Start over; remove the parts that are complete.")
@click.option(
    "--memo",
    metavar="FILE",
    help="Keep the results of short texts in FILE, so that the next run does not score repeats.",
)
@click.option("--limit", type=int, metavar="N", help="Label the first N rows only.")
@click.option(
    "--max-rejects", default=_DEFAULT.max_rejects, show_default=True, metavar="N|P%",
    help="With more unreadable rows than this (or a larger share), the exit code is 3.",
)  # fmt: skip
@click.option(
    "--mask-pii/--no-mask-pii", default=None,
    help="Mask personal data in the written text; the model reads the original.  [default: in rejects only]",
)  # fmt: skip
@click.option("--drop-text", is_flag=True, help="Leave the text column out.")
@click.option(
    "--hash-column", "hash_columns", multiple=True, metavar="C",
    help="Write keyed hashes in place of this column's values; may be repeated.",
)  # fmt: skip
@click.option(
    "--hash-key-file", metavar="FILE", help="File with the key for --hash-column.  [default: EMOJOB_HASH_KEY]"
)
@click.option("--ray-address", metavar="HOST:PORT", help="Cluster for --engine ray.  [default: this machine]")
@click.option("--ray-cores", type=int, metavar="N", help="Cores of each worker without a GPU, for --engine ray.")
@click.option("--dry-run", is_flag=True, help="Print what a run would do and how long it would take; label nothing.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Format of progress, notes and errors.",
)  # fmt: skip
def score(inputs: tuple[str, ...], out: str | None, sample: bool, **given: Any) -> int:
    """Label every utterance of a dataset with an emotion and its probabilities.

    INPUT is a file, folder, glob or URL (s3://, gs://, az://) of .parquet, .csv, .tsv or .jsonl files; the last three
    may be compressed (.gz, .zst). OUT and --model may be URLs too. The same command again resumes an interrupted run.
    """
    from emojob.jobs.terminal.scoring_progress import make_log

    log = make_log(given.pop("log_format"), given.pop("quiet"))
    try:
        return _score(list(inputs), out, sample, log, given)
    except EmojobError as error:
        if not log.takes_errors:
            raise
        log.error(str(error), error.exit_code)
        return error.exit_code


def _score(inputs: list[str], out: str | None, sample: bool, log: Any, given: dict[str, Any]) -> int:
    """Run or plan a scoring run; return the exit code. `given`: scoring options, model options and dry_run."""
    dry_run, model = given.pop("dry_run"), take_model_options(given)
    options = ScoreOptions(**given)
    if sample == bool(inputs):
        raise OptionError(
            "give an INPUT (a file, folder or glob), or --sample for the sample that comes with the package"
        )
    from emojob.pipeline.assets.sample import sample_file
    from emojob.pipeline.running.dry_run import plan_run
    from emojob.pipeline.running.run import score_dataset
    from emojob.pipeline.storage.paths import parse_path
    from emojob.pipeline.system.prefetch import Stages

    path = parse_path(out) if out else None
    if sample:
        inputs, path = [str(sample_file())], path or Path("shop_chat.emotions")
    if dry_run:
        log.plan(plan_run(inputs, path, options, model, log.note))
        return 0
    stages = Stages()
    with log.running(stages):
        result = score_dataset(inputs, path, options, model, log.progress, log.note, stages)
    log.summary(result)
    too_many = result.counts.rejected > options.rejects_allowed(result.counts.read)
    return TOO_MANY_REJECTS if too_many else 0
