"""Runs the SQL prompt of `emojob sql`, with completion, a history and multi-line queries."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from emojob.jobs.terminal.console import ignore_mouse
from emojob.jobs.terminal.query_table import print_table
from emojob.jobs.terminal.text import plain
from emojob.schemas.errors import OptionError

if TYPE_CHECKING:
    from emojob.pipeline.warehouse.query import Session

_HELP = """\
  \\d            list the views            \\d NAME   list the columns of a view
  \\q exit quit  leave the prompt (Ctrl-D)  \\? help   show this help
  A query ends with ; and can have several lines. Tab completes a name. The view `labelled` contains the rows."""

_KEYWORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ALL", "ORDER BY", "LIMIT", "HAVING", "AND", "OR", "NOT", "IN",
    "IS NULL", "AS", "DISTINCT", "COUNT", "SUM", "AVG", "MIN", "MAX", "JOIN", "ON", "WITH", "CASE", "WHEN", "THEN",
    "ELSE", "END",
    "BETWEEN", "LIKE", "ILIKE", "DESC", "ASC", "UNION", "FILTER", "OVER", "PARTITION BY", "QUALIFY",
    "DESCRIBE", "SUMMARIZE",
)  # fmt: skip

_LEAVE, _SHOW_HELP = ("\\q", "quit", "exit"), ("\\?", "\\h", "help")

_WORD = re.compile(r"\w+$")


def run_prompt(session: Session) -> None:
    """Read queries and print the results until the user quits."""
    tables = session.tables()
    prompt: PromptSession[str] = PromptSession(
        history=_history(),
        completer=Names(tables),
        complete_while_typing=False,
        lexer=PygmentsLexer(SqlLexer),
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation="     ...> ",
    )
    click.echo("The view `labelled` contains the rows. help shows help, exit leaves the prompt.")
    while True:
        try:
            typed = prompt.prompt("emojob> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if _word(typed) in _LEAVE:
            return
        if typed:
            _answer(session, typed, tables)


def _answer(session: Session, typed: str, tables: dict[str, list[tuple[str, str]]]) -> None:
    if typed.startswith("\\") or _word(typed) in _SHOW_HELP:
        click.echo(_command(typed, tables))
        return
    try:
        print_table(session.query(typed))
    except OptionError as error:
        click.echo(plain(str(error)), err=True)
    except KeyboardInterrupt:
        session.interrupt()
        click.echo("interrupted", err=True)


def _command(typed: str, tables: dict[str, list[tuple[str, str]]]) -> str:
    """Return the output of the prompt command \\d, \\d NAME or \\?."""
    name, _, argument = typed.partition(" ")
    argument = argument.strip().rstrip(";")
    if name != "\\d":
        return _HELP
    if not argument:
        return "\n".join(f"  {table}  ({len(columns)} columns)" for table, columns in tables.items())
    if argument not in tables:
        return f"there is no view {plain(argument)}; the views are {', '.join(tables)}"
    width = max(len(column) for column, _ in tables[argument])
    return "\n".join(f"  {plain(column):{width}}  {plain(kind)}" for column, kind in tables[argument])


def _word(typed: str) -> str:
    """Return a command of the prompt without ; and in lower case."""
    return typed.strip().rstrip(";").strip().lower()


def is_complete(typed: str) -> bool:
    """Return whether the typed text is complete: empty, a prompt command, or a query that ends with ";"."""
    typed = typed.strip()
    return not typed or typed.endswith(";") or typed.startswith("\\") or _word(typed) in (*_LEAVE, *_SHOW_HELP)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: Any) -> None:
        buffer = event.current_buffer
        if is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return ignore_mouse(keys)


class Names(Completer):
    """Completes the names of views and columns, and SQL keywords."""

    def __init__(self, tables: dict[str, list[tuple[str, str]]]) -> None:
        columns = {column: kind for view in tables.values() for column, kind in view}
        self._names = {**dict.fromkeys(tables, "view"), **columns}

    def get_completions(self, document: Any, complete_event: Any) -> Iterator[Completion]:
        """Yield completions of the word before the cursor: view and column names, then SQL keywords."""
        found = _WORD.search(document.text_before_cursor)
        begun = found[0] if found else ""
        for name, kind in self._names.items():
            if name.casefold().startswith(begun.casefold()):
                written = name if name.isidentifier() else '"' + name.replace('"', '""') + '"'
                yield Completion(written, -len(begun), display=plain(name), display_meta=plain(kind))
        if begun:
            upper = begun.upper()
            yield from (Completion(word, -len(begun)) for word in _KEYWORDS if word.startswith(upper))


def _history() -> History:
    """Return the query history. It is stored in a private file, or in memory if no file can be created."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    file = Path(home) / "emojob" / "sql_history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))
