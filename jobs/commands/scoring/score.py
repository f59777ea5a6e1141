"""Defines `emojob score`, which labels every utterance of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.input_files import check_inputs
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.jobs.options.read_options import read_options
from emojob.schemas.errors import TOO_MANY_REJECTS, EmojobError, OptionError
from emojob.schemas.options import ScoreOptions

_DEFAULT = ScoreOptions()
_CONVERSATIONS = (
    "Column with the conversation ID.  [default: a column named conversation_id, session_id ..., if needed]"
)


@click.command(context_settings=SETTINGS, short_help="Label every utterance of a dataset.")
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@click.option(
    "-o", "--out", metavar="OUT",
    help="Output folder, or a .parquet file.  [default: a folder next to INPUT, such as logs.emotions]",
)  # fmt: skip
@click.option(
    "--text-column", metavar="C", help="Column with the text.  [default: a column named text, message, 발화 ...]"
)
@read_options
@model_options
@click.option("--prefix", default=_DEFAULT.prefix, help="Prefix for the names of the added columns.")
@click.option("--conversation-column", metavar="C", help=_CONVERSATIONS)
@click.option(
    "--time-column", metavar="C", help="Column with the time of each utterance, for reports, or two: date+time."
)
@click.option("--speaker-column", metavar="C", help="Column with the speaker, for reports.")
@click.option("--sample", is_flag=True, help="Label the sample dialogue that comes with the package.")
@click.option("--fresh", is_flag=True, help="Start over: first delete the earlier results in OUT.")
@click.option(
    "--memo",
    metavar="FILE",
    help="Cache the probabilities of short texts in FILE, to make later runs faster.",
)
@click.option("--limit", type=int, metavar="N", help="Label only the first N rows.")
@click.option(
    "--max-rejects", default=_DEFAULT.max_rejects, show_default=True, metavar="auto|N|P%",
    help="Maximum number or percentage of rejected rows. If more rows are rejected, the exit code is 3. auto: 1% of "
    "the rows, at least 1 and at most 100.",
)  # fmt: skip
@click.option(
    "--placeholders/--no-placeholders", default=_DEFAULT.placeholders, show_default=True,
    help="Treat texts that messengers write in place of photos and deleted messages as empty.",
)  # fmt: skip
@click.option(
    "--mask-pii/--no-mask-pii", default=None,
    help="Mask personal data in the output; the model reads the original text.  [default: mask only rejected rows]",
)  # fmt: skip
@click.option("--drop-text", is_flag=True, help="Leave the text column out of the output.")
@click.option(
    "--hash-column", "hash_columns", multiple=True, metavar="C",
    help="Replace the values of column C with keyed hashes; may be repeated.",
)  # fmt: skip
@click.option(
    "--hash-key-file",
    metavar="FILE",
    help="File with the key for --hash-column.  [default: the variable EMOJOB_HASH_KEY]",
)
@click.option(
    "--ray-address",
    metavar="HOST:PORT",
    help="Ray cluster for --engine ray.  [default: the variable RAY_ADDRESS, otherwise this machine]",
)
@click.option(
    "--ray-cores", type=int, metavar="N", help="Number of processor cores for each Ray worker on a node without a GPU."
)
@click.option("--dry-run", is_flag=True, help="Print the plan and the expected duration of the run; label nothing.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Format of the messages and the progress: text, or JSON lines.",
)  # fmt: skip
def score(inputs: tuple[str, ...], out: str | None, sample: bool, **given: Any) -> int:
    """Label every utterance of a dataset with an emotion and probabilities.

    INPUT is a file, folder, glob or URL (s3://, gs://, az://). Supported formats: Parquet,
    Arrow, CSV, TSV, JSON, Excel, ZIP, and chats that KakaoTalk, WhatsApp, Slack and Telegram export. Files can be
    compressed (.gz, .zst, .bz2, .xz). OUT and --model can also be URLs.

    To resume an interrupted run, run the same command again.
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
    """Label a dataset, or print the plan of --dry-run. Return the exit code."""
    dry_run, model = given.pop("dry_run"), take_model_options(given)
    options = ScoreOptions(**given)
    if sample == bool(inputs):
        raise OptionError(
            f"{'both INPUT and --sample are given' if sample else 'no INPUT is given'}: to label your data, give INPUT "
            "(a file, folder, glob or URL); to label the sample dialogue, give --sample"
        )
    check_inputs(inputs)
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
    for line in result.problems:
        log.error(line, TOO_MANY_REJECTS)
    return TOO_MANY_REJECTS if result.problems else 0
