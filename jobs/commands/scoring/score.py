"""`emojob score`: label an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.schemas.errors import TOO_MANY_REJECTS, EmojobError, OptionError
from emojob.schemas.options import ENCODINGS, ScoreOptions

_DEFAULT = ScoreOptions()
_CONVERSATIONS = "Column that tells conversations apart.  [default: where the model needs one, among the usual names]"


@click.command(context_settings=SETTINGS, short_help="Label every utterance of an archive.")
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@click.option(
    "-o", "--out", metavar="OUT", help="Folder, or a file X.parquet.  [default: INPUT-STEM.emotions beside INPUT]"
)
@click.option("--text-column", metavar="C", help="Column with the dialogue.  [default: found among the usual names]")
@click.option("--encoding", type=click.Choice(ENCODINGS), default=_DEFAULT.encoding, show_default=True)
@model_options
@click.option("--prefix", default=_DEFAULT.prefix, help="Put before the names of the columns that are added.")
@click.option("--conversation-column", metavar="C", help=_CONVERSATIONS)
@click.option("--time-column", metavar="C", help="Column with the time of an utterance, for reports.")
@click.option("--speaker-column", metavar="C", help="Column that tells speakers apart, for reports.")
@click.option("--sample", is_flag=True, help="Label the sample archive that comes with the package.")
@click.option("--fresh", is_flag=True, help="Begin again, without the parts that are complete.")
@click.option("--memo", metavar="FILE", help="Keep what was labelled there, so that repeats cost the next run nothing.")
@click.option("--limit", type=int, metavar="N", help="Label the first N rows only.")
@click.option(
    "--max-rejects", default=_DEFAULT.max_rejects, show_default=True, metavar="N|P%",
    help="Unreadable rows (or share of rows) beyond which the exit code is 3.",
)  # fmt: skip
@click.option(
    "--mask-pii/--no-mask-pii", default=None,
    help="Mask personal data in the text that is written (the model reads the original).  [default: in rejects alone]",
)  # fmt: skip
@click.option("--drop-text", is_flag=True, help="Write labels without the text.")
@click.option(
    "--hash-column", "hash_columns", multiple=True, metavar="C",
    help="Write a keyed hash instead of this column's values; may be given several times.",
)  # fmt: skip
@click.option("--hash-key-file", metavar="FILE", help="File with the key of --hash-column.  [default: EMOJOB_HASH_KEY]")
@click.option("--ray-address", metavar="HOST:PORT", help="Cluster for --engine ray.  [default: this machine alone]")
@click.option("--ray-cores", type=int, metavar="N", help="Cores of each labeller without a GPU, for --engine ray.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and how long it would take; label nothing.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def score(inputs: tuple[str, ...], out: str | None, sample: bool, **given: Any) -> int:
    """Label every utterance of an archive with an emotion and its probabilities.

    INPUT is a file, a folder or a glob of .parquet, .csv, .tsv or .jsonl (the last three also .gz or .zst), or the URL
    of such in a store (s3://, gs://, az://); OUT and --model may be URLs, too.
    The same command again goes on where the last one stopped.
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
    dry_run = given.pop("dry_run")
    columns = {role: given.pop(f"{role}_column") for role in ("conversation", "time", "speaker")}
    model = take_model_options(given)
    options = ScoreOptions(**given, **{f"{role}_column": name for role, name in columns.items()})
    if sample == bool(inputs):
        raise OptionError("give an INPUT (a file, folder or glob), or --sample for the archive that comes along")
    from emojob.pipeline.assets.sample import sample_file
    from emojob.pipeline.running.dry_run import plan_run
    from emojob.pipeline.running.run import score_dataset
    from emojob.pipeline.storage.paths import parse_path
    from emojob.pipeline.system.prefetch import Stages

    place = parse_path(out) if out else None
    if sample:
        inputs, place = [str(sample_file())], place or Path("shop_chat.emotions")
    if dry_run:
        log.plan(plan_run(inputs, place, options, model, log.note))
        return 0
    stages = Stages()
    with log.running(stages):
        result = score_dataset(inputs, place, options, model, log.progress, log.note, stages)
    log.summary(result)
    rejected = result.counts.rejected > options.rejects_allowed(result.counts.read)
    return TOO_MANY_REJECTS if rejected else 0
