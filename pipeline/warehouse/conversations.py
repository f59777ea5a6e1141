"""Creates the DuckDB macros and views for conversations: which utterances are one conversation, in which order, and who
speaks.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.warehouse.sql_text import literal, read_sql
from emojob.schemas.blank import NOT_BLANK
from emojob.schemas.options import ConversationOptions, speaker_key
from emojob.schemas.roles import AGENT, AGENT_WORDS, CUSTOMER, CUSTOMER_WORDS

#: Views that the aggregates about conversations read. A view may read earlier views in this tuple.
CONVERSATION_VIEWS = ("shared_ids", "in_conversations", "speakers", "conversation_roles", "spoken")


def create_macros(
    db: duckdb.DuckDBPyConnection, archive: LabelledArchive, options: ConversationOptions | None = None
) -> None:
    """Create the macros that the view `utterances` and the aggregates use.

    Args:
        db: A new database.
        archive: The labelled archive.
        options: Options of the figures about conversations. If None, the defaults are used.
    """
    options = options or ConversationOptions()
    names = input_names(archive)
    scope = (
        options.conversation_scope if len(names) > 1 else "input"
    )  # with one input, no ID has to be looked up in another
    macros = {
        "visible(value)": f"CASE WHEN regexp_matches(value, {literal(NOT_BLANK)}) THEN value END",
        "as_number(value)": "TRY_CAST(value AS DOUBLE)",
        # one spelling of a text: NFC, single spaces
        "folded_text(value)": r"CASE WHEN regexp_matches(value, '^ | $|  |[^\P{Z} ]|\p{Cc}|[\x{1100}-\x{11FF}\p{M}]')"
        r" THEN nfc_normalize(trim(regexp_replace(value, '[\p{Z}\p{Cc}]+', ' ', 'g'))) ELSE value END",
        "conversation_scope()": literal(scope),
        "input_name(number)": f"({_list(_short(names))})[number + 1]" if names else "NULL::VARCHAR",
        "has_label_sets()": str(archive.is_multi).lower(),
        "has_times()": str(archive.time_column is not None).lower(),
        "has_speakers()": str(archive.speaker_column is not None).lower(),
        "role_of(speaker)": _role(options),
    }
    for signature, body in macros.items():
        db.execute(f"CREATE MACRO {signature} AS {body}")


def create_conversation_views(db: duckdb.DuckDBPyConnection, carried: str) -> None:
    """Create the views in CONVERSATION_VIEWS, and `carried`. The view `utterances` and the macros must exist.

    Args:
        db: The database.
        carried: The query of the view `carried`.
    """
    db.execute(f"CREATE VIEW carried AS {carried}")
    for name in CONVERSATION_VIEWS:
        db.execute(f"CREATE VIEW {name} AS {read_sql(f'conversations/{name}')}")


def input_names(archive: LabelledArchive) -> list[str]:
    """Return the names of the archive's inputs, in the order of their first rows. [] if the inputs are unknown."""
    if inputs_are_unknown(archive):
        return []
    names = [one.input for one in archive.part_files if one.input is not None]
    return list(dict.fromkeys(names)) or [name for name, _ in rows_of_inputs(archive)]


def _short(names: list[str]) -> list[str]:
    """Return the file names without folders, if they differ from each other."""
    short = [name.rpartition("/")[2] or name for name in names]
    return short if len(set(short)) == len(names) else names


def inputs_are_unknown(archive: LabelledArchive) -> bool:
    """Return whether the archive is a single file with rows of several inputs, but which rows is unknown."""
    inputs = archive.run.get("inputs")
    is_single = all(one.input is None for one in archive.part_files)
    return is_single and isinstance(inputs, list) and len(inputs) > 1 and not rows_of_inputs(archive)


def rows_of_inputs(archive: LabelledArchive) -> list[tuple[str, int]]:
    """Return (name, number of rows) of each input of a single labelled file, in the order of the rows.

    [] for a folder, and for a file of an earlier version of emojob.
    """
    if len(archive.part_files) != 1 or archive.part_files[0].input is not None:
        return []
    inputs = archive.run.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        return []
    found = [(one.get("name"), one.get("rows")) for one in inputs]
    rows = [(name, rows) for name, rows in found if isinstance(name, str) and type(rows) is int and rows >= 0]
    with archive.open_part(archive.part_files[0]) as parquet:
        whole = parquet.metadata.num_rows
    return rows if len(rows) == len(found) and sum(number for _, number in rows) == whole else []


def _role(options: ConversationOptions) -> str:
    """Return the SQL expression for the role of `speaker`: customer, agent or null."""
    name = "nfc_normalize(lower(nfc_normalize(trim(speaker, ' \t\r\n\u3000'))))"
    cases = [
        f"WHEN {name} IN ({', '.join(literal(speaker_key(one)) for one in given)}) THEN {literal(role)}"
        for role, given in ((CUSTOMER, options.customer_speakers), (AGENT, options.agent_speakers))
        if given
    ]
    usual = (
        f"list_filter(list_transform({_CANDIDATES}, lambda word: {_ROLE_OF_WORD}), lambda role: role IS NOT NULL)[1]"
    )
    return f"CASE {' '.join(cases)} ELSE {usual} END" if cases else usual


# The words of a speaker's name: letters only, in lower case. Hangul and Latin letters are different words.
_WORDS = (
    "list_filter(string_split_regex(regexp_replace(regexp_replace(lower(nfc_normalize(speaker)), "
    r"'([가-힣])([a-z])', '\1 \2', 'g'), '([a-z])([가-힣])', '\1 \2', 'g'), '[^\p{L}]+'), lambda word: word <> '')"
)
# The name as one word, for names such as "call center", then the words, the last one first.
_CANDIDATES = f"list_concat([array_to_string({_WORDS}, '')], list_reverse({_WORDS}))"
_ROLE_OF_WORD = " ".join(
    [
        "CASE",
        *(
            f"WHEN {word} IN ({', '.join(map(literal, words))}) THEN {literal(role)}"
            for word in ("word", r"regexp_replace(word, '님$', '')")  # the honorific 님 is ignored
            for role, words in ((CUSTOMER, CUSTOMER_WORDS), (AGENT, AGENT_WORDS))
        ),
        "END",
    ]
)


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"
