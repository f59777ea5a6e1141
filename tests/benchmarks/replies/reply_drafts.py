"""Measures how `emojob reply` reads and writes many conversations, with a bot that answers at once.

    PYTHONPATH=. python tests/benchmarks/replies/reply_drafts.py [CONVERSATIONS] [FORMAT]

CONVERSATIONS: number of conversations of four turns, by default 100,000. FORMAT: csv, parquet or xlsx.

Prints the conversations per second of CPU time, and the most memory. The time of the bot is not measured.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.replies.drafts.job import Callbacks, DraftOptions, draft_replies
from emojob.pipeline.replies.requests import Reply
from emojob.schemas.columns import label_fields
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import write_part, write_run

TURNS = (
    ("고객", "일상", "안녕하세요, 주문한 물건이 언제쯤 오는지 궁금해서 연락드렸어요"),
    ("상담사", "일상", "안녕하세요 고객님, 주문 번호를 알려 주시면 바로 확인해 드리겠습니다"),
    ("고객", "기쁨", "네 감사합니다, 번호는 방금 문자로 보내 드렸어요"),
    ("고객", "분노", "번째 문의인데 아직도 안 왔어요. 정말 너무하시네요"),
)
PART = 250_000  # conversations


class InstantBot:
    """A bot that has one answer for all texts."""

    name, fingerprint = "instant", "instant"

    def unknown_emotions(self, labels):
        return []

    def reply(self, requests, drafts):
        return [Reply(("기다리게 해서 죄송합니다. 바로 확인하겠습니다.",), "answers", "배송/지연", 0.9)] * len(requests)


def write_archive(out: Path, conversations: int) -> Path:
    """Write an archive in which every conversation turns bad."""
    for number, first in enumerate(range(0, conversations, PART)):
        count = min(PART, conversations - first)
        write_part(out, _part(first, count), number)
    return write_run(out)


def _part(first: int, conversations: int) -> pa.Table:
    numbers = pa.array(range(first, first + conversations), pa.int64()).cast(pa.string())
    start, second = pa.scalar(1_760_000_000, pa.int64()), pc.cast(numbers, pa.int64())
    tables = []
    for turn, (speaker, emotion, text) in enumerate(TURNS):
        texts = pc.binary_join_element_wise(numbers, text, "") if turn == 3 else pa.repeat(text, conversations)
        best = [0.8 if label == emotion else 0.04 for label in DEFAULT_LABELS]
        labels = [emotion, 0.8, *best, "scored"]
        fields = label_fields(DEFAULT_LABELS, "")
        added = {
            field.name: pa.repeat(
                pa.scalar(value, pa.string() if isinstance(value, str) else pa.float32()), conversations
            ).cast(field.type)
            for field, value in zip(fields, labels, strict=True)
        }
        at = pc.cast(pc.add(pc.add(start, second), turn), pa.timestamp("s")).cast(pa.string())
        speakers = pa.repeat(speaker, conversations)
        tables.append(
            pa.table({"text": texts, "conversation_id": numbers, "speaker": speakers, "sent_at": at, **added})
        )
    return pa.concat_tables(tables).combine_chunks()


def main() -> None:
    conversations = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    ending = sys.argv[2] if len(sys.argv) > 2 else "parquet"
    with tempfile.TemporaryDirectory() as folder:
        out = write_archive(Path(folder, "out"), conversations)
        archive, before = open_labelled(out), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        steps: list[float] = []

        def on_progress(done: int, all_: int) -> None:
            steps.append(time.process_time())

        began = time.process_time()
        callbacks = Callbacks(on_progress=on_progress)
        done = draft_replies(archive, InstantBot(), DraftOptions(Path(folder, f"drafts.{ending}")), callbacks)
        ended = time.process_time()
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert done.tally is not None
    assert done.tally.conversations == conversations
    click.echo(
        f"{conversations:,} conversations, {ending}: {conversations / (ended - began):,.0f} per second of CPU time"
    )
    for name, first, last in (("find", began, steps[0]), ("draft", steps[0], steps[-1]), ("write", steps[-1], ended)):
        click.echo(f"  {name:6} {last - first:8.1f} s of CPU time")
    click.echo(f"  memory {most / 1024:8,.0f} MiB at most, {before / 1024:,.0f} MiB before")


if __name__ == "__main__":
    main()
