"""Drafts replies for the conversations of a labelled archive, and writes them to a file.

The rows are made in parts, which a work folder beside the file keeps. An interrupted run goes on after the last
finished part. The complete file is made from the parts, so it does not depend on interruptions.

The fingerprint is a hash of all that decides the rows: the state of the archive, the bot and the options. A file with
the same fingerprint is not made again. A file that a person has changed is not replaced without --force.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from emojob.pipeline.output.derived.records import content_of
from emojob.pipeline.output.derived.replacing import is_as_recorded
from emojob.pipeline.output.identity import ensure_identity
from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.replies.drafts.choosing import Selection
from emojob.pipeline.replies.drafts.conversations import OpenConversations, open_conversations
from emojob.pipeline.replies.drafts.draft_file import DraftFile, check_rows, form_of, read_made
from emojob.pipeline.replies.drafts.notes import About, Tally
from emojob.pipeline.replies.drafts.rows import Drafting, rows_of, schema_of
from emojob.pipeline.replies.drafts.work import CHANGED, Work, may_replace, open_work, remove_finished
from emojob.pipeline.replies.requests import Drafter
from emojob.pipeline.storage.paths import output_errors, path_name
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.errors import OptionError

#: Largest value of --drafts.
MOST_DRAFTS = 9

_FORMAT = 1
_PART_ROWS = 256  # conversations; at most so many are drafted again after an interruption


@dataclass(frozen=True)
class DraftOptions:
    """Options of `emojob reply`. A wrong value raises OptionError.

    Attributes:
        file: The file to write: .csv, .xlsx or .parquet.
        drafts: Maximum number of drafts for an utterance.
        selection: Which conversations get drafts.
        language: Language of the notes and of the column `note`: en or ko.
        force: Whether to replace a file that a person has changed, or that emojob did not write.
        batch_rows: Number of utterances that the bot gets at once. It does not change the drafts.
    """

    file: Path
    drafts: int = 1
    selection: Selection = field(default_factory=Selection)
    language: str = "en"
    force: bool = False
    batch_rows: int = 64

    def __post_init__(self) -> None:
        form_of(self.file)
        if not 1 <= self.drafts <= MOST_DRAFTS:
            raise OptionError(f"--drafts {self.drafts} is out of range: give a number from 1 to {MOST_DRAFTS}")


@dataclass(frozen=True)
class Callbacks:
    """Functions that `draft_replies` calls.

    Attributes:
        note: callback(message) for messages to the user.
        on_progress: callback(finished conversations, all conversations).
    """

    note: Callable[[str], None] = lambda text: None
    on_progress: Callable[[int, int], None] = lambda done, all_: None


@dataclass(frozen=True)
class Drafted:
    """Result of `draft_replies`.

    Attributes:
        tally: Counts of the rows; None if the file was there already.
        is_changed: Whether a person has changed the file that was there already.
        unanswerable: Number of chosen conversations that are left out, because no customer speaks in them.
        resumed: Number of conversations that an interrupted run had finished before.
        others: If there are few conversations: option --where that chooses more of them; else "".
    """

    tally: Tally | None = None
    is_changed: bool = False
    unanswerable: int = 0
    resumed: int = 0
    others: str = ""


def draft_replies(
    archive: LabelledArchive, bot: Drafter, options: DraftOptions, callbacks: Callbacks | None = None
) -> Drafted:
    """Draft replies for conversations of an archive, and write them to a file.

    Raises:
        OptionError: The file must not be replaced, or the archive cannot tell which conversations to choose.
        OutputError: The archive has no texts.
        DataError: A part file cannot be read.
        BusyError: Another run writes the same file.
        ChangedError: Rows have left the archive since they were read.
        StorageError: The file cannot be written, or there is not enough memory or disk space.
    """
    callbacks, file = callbacks or Callbacks(), options.file
    fingerprint = _fingerprint(archive, bot, options)
    with limit_permissions(one.file for one in archive.part_files), output_errors(file):
        content = content_of(file) if file.is_file() else ""
        made = read_made(file)
        is_own = (made is not None and made.is_unchanged) or (bool(content) and is_as_recorded(file, archive.path))
        if not may_replace(file, content):  # else an interrupted run has checked the file
            if made and made.fingerprint == fingerprint and not options.force:
                remove_finished(archive, file)
                return Drafted(is_changed=not is_own)
            _ensure_replaceable(options, is_own)
            if made and made.fingerprint != fingerprint:
                callbacks.note(CHANGED.format(f"{file} was made"))
        replaces = content if is_own else ""
        with open_conversations(archive, options.selection) as conversations:
            check_rows(file, conversations.count)
            about_roles = conversations.roles.sentences(options.language)
            for line in [conversations.note or "", *about_roles, *bot.unknown_emotions(archive.labels)]:
                if line:
                    callbacks.note(line)
            with open_work(archive, file, fingerprint, replaces, callbacks.note) as work:
                return _draft(archive, bot, options, callbacks, conversations, work, fingerprint)


def _draft(
    archive: LabelledArchive,
    bot: Drafter,
    options: DraftOptions,
    callbacks: Callbacks,
    conversations: OpenConversations,
    work: Work,
    fingerprint: str,
) -> Drafted:
    """Make the parts that are not finished yet, and write the file."""
    resumed = work.rows
    how = Drafting(bot, options.drafts, options.language, options.batch_rows)
    _make_parts(conversations, work, how, callbacks.on_progress)
    about = _about(archive, bot, options, conversations)
    schema = schema_of(options.drafts)
    drafts = DraftFile(archive, options.file, fingerprint, callbacks.note)
    tally = drafts.write(schema, work.tables(schema), about)
    work.remove()
    return Drafted(tally, unanswerable=conversations.unanswerable, resumed=resumed, others=conversations.others)


def _make_parts(
    conversations: OpenConversations, work: Work, how: Drafting, on_progress: Callable[[int, int], None]
) -> None:
    """Make the parts that are not finished yet."""
    on_progress(work.rows, conversations.count)
    left = conversations.after(work.last)
    while part := list(itertools.islice(left, _PART_ROWS)):
        work.add(rows_of(part, how), part[-1].number)
        on_progress(work.rows, conversations.count)


def _about(archive: LabelledArchive, bot: Drafter, options: DraftOptions, conversations: OpenConversations) -> About:
    """Return what the notes say, apart from the counts."""
    model = archive.run.get("model", {}).get("name")
    return About(
        archive=path_name(archive.path),
        bot=bot.name,
        model=model if isinstance(model, str) else "",
        by_condition=options.selection.where is not None,
        unanswerable=conversations.unanswerable,
        roles=tuple(conversations.roles.sentences(options.language)),
        language=options.language,
        made_at=datetime.datetime.now().astimezone(),
    )


def _fingerprint(archive: LabelledArchive, bot: Drafter, options: DraftOptions) -> str:
    """Return a hash of all that decides the rows."""
    plain = {
        "format": _FORMAT,
        "archive": _state_of(archive),
        "parts": [(one.file.name, one.bytes, one.modified) for one in archive.part_files],
        "bot": bot.fingerprint,
        "drafts": options.drafts,
        "selection": asdict(options.selection),
        "language": options.language,
        "form": form_of(options.file),
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _state_of(archive: LabelledArchive) -> str:
    """Return the mark of an archive. An archive of an earlier version gets its identity now."""
    with contextlib.suppress(OSError):  # the archive may be read-only
        return str((archive.identity or ensure_identity(archive.path)).mark)
    return ""


def _ensure_replaceable(options: DraftOptions, is_own: bool) -> None:
    """Raise OptionError if an existing file has content that a person may need."""
    file = options.file
    if options.force or is_own or not file.is_file() or not file.stat().st_size:
        return
    raise OptionError(
        f"-o {file} exists, and nothing shows that it is unchanged since `emojob reply` wrote it: a person may have "
        "filled in its column `status`; give a different file name, or replace the file with --force"
    )
