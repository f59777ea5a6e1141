"""Reads chats that KakaoTalk exports as text (.txt): on a PC, on Android and on iOS, in Korean and in English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from emojob.pipeline.reading.files.input_file import InputFile, UnknownContent
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.chats.forms import FORMS
from emojob.pipeline.reading.formats.chats.lines import read_lines
from emojob.pipeline.reading.formats.chats.messages import SCHEMA, name_from_file, notes_about
from emojob.pipeline.reading.formats.chats.transcript import Transcript, choose_form
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.options import ReadOptions


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding, form and number of messages of a chat. The whole file is read.

    Raises:
        DataError: The file is damaged, or no line is a message of KakaoTalk.
    """
    info = text_encoding.inspect(file, options.encoding)
    groups = read_lines(file, info.encoding)
    form = next(filter(None, (choose_form(group.texts, "kakaotalk") for group in groups)), None)
    if form is None:
        raise UnknownContent(
            f"{file.name} has no message of KakaoTalk, such as `[NAME] [오후 3:10] TEXT` or "
            "`2026년 11월 20일 오후 3:10, NAME : TEXT`; export the chat again, or give --format lines if each line is "
            "one text"
        )
    source = Source(file, info.size, info.sha256, SCHEMA, info.encoding, lines=info.lines, form=form.name)
    transcript = Transcript(form, name_from_file(file))
    for _ in transcript.read(read_lines(file, info.encoding)):
        pass
    notes = notes_about(form.title, transcript.tally)
    notes = (*notes, *info.notes)
    return FileInfo(replace(source, rows=transcript.tally.messages, chat=transcript.name, notes=notes))


def read(
    source: Source, start_row: int = 0, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Yield the messages of a chat. Reading begins at the first message, because a line may not tell the day."""
    transcript = Transcript(FORMS[str(source.form)], name_from_file(source.file))
    yield from transcript.read(read_lines(source.file, source.encoding or "utf-8"))
