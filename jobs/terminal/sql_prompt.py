"""The prompt of `emojob sql`: completion of columns, history, queries of several lines."""

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

from emojob.jobs.terminal.query_table import print_table
from emojob.jobs.terminal.text import plain
from emojob.schemas.errors import OptionError

if TYPE_CHECKING:
    from emojob.pipeline.warehouse.query import Session

_HELP = """\
  \\d            the views          \\d NAME   the columns of one
  \\q            leave (Ctrl-D)     \\?        this
  A query ends with ; and may have several lines. Tab completes. The archive is the view labelled."""

_KEYWORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ALL", "ORDER BY", "LIMIT", "HAVING", "AND", "OR", "NOT", "IN",
    "IS NULL", "AS", "DISTINCT", "COUNT", "SUM", "AVG", "MIN", "MAX", "JOIN", "ON", "WITH", "CASE", "WHEN", "THEN",
    "ELSE", "END",
    "BETWEEN", "LIKE", "ILIKE", "DESC", "ASC", "UNION", "FILTER", "OVER", "PARTITION BY", "QUALIFY",
    "DESCRIBE", "SUMMARIZE",
)  # fmt: skip

_WORD = re.compile(r"\w+$")


def converse(session: Session) -> None:
    """Ask and answer until the user leaves."""
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
    click.echo("The archive is the view labelled; \\? helps, \\q leaves.")
    while True:
        try:
            said = prompt.prompt("emojob> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if said in ("\\q", "quit", "exit"):
            return
        if said:
            _reply(session, said, tables)


def _reply(session: Session, said: str, tables: dict[str, list[tuple[str, str]]]) -> None:
    if said.startswith("\\"):
        click.echo(_command(said, tables))
        return
    try:
        print_table(session.query(said))
    except OptionError as error:
        click.echo(plain(str(error)), err=True)
    except KeyboardInterrupt:
        session.interrupt()
        click.echo("interrupted", err=True)


def _command(said: str, tables: dict[str, list[tuple[str, str]]]) -> str:
    name, _, argument = said.partition(" ")
    argument = argument.strip().rstrip(";")
    if name != "\\d":
        return _HELP
    if not argument:
        return "\n".join(f"  {table}  ({len(columns)} columns)" for table, columns in tables.items())
    if argument not in tables:
        return f"no view {plain(argument)}; there are {', '.join(tables)}"
    width = max(len(column) for column, _ in tables[argument])
    return "\n".join(f"  {plain(column):{width}}  {plain(kind)}" for column, kind in tables[argument])


def complete(said: str) -> bool:
    """Whether what was typed is to be run: a query that ends with ;, a command, nothing at all."""
    said = said.strip()
    return not said or said.endswith(";") or said.startswith("\\") or said in ("quit", "exit")


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: Any) -> None:
        buffer = event.current_buffer
        if complete(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


class Names(Completer):
    """Completes columns, views and SQL's words."""

    def __init__(self, tables: dict[str, list[tuple[str, str]]]) -> None:
        columns = {column: kind for view in tables.values() for column, kind in view}
        self._names = {**dict.fromkeys(tables, "view"), **columns}

    def get_completions(self, document: Any, complete_event: Any) -> Iterator[Completion]:
        """What may follow the letters before the cursor: names of the archive first."""
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
    """Of this user and no other; none where it cannot be kept."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    file = Path(home) / "emojob" / "sql_history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))
