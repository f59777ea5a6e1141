"""Checks that a user's query is a single statement that only reads the views of an archive.

This check is the second wall. The first wall is the database itself: DuckDB can open only the part files, and only for
reading (`part_files`), and its settings are locked (`query.open_session`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import duckdb

from emojob.pipeline.warehouse.queries.errors import PARAMETERS
from emojob.schemas.errors import OptionError

#: Characters that DuckDB reads as a space, although they are not ASCII. Words next to them look like other words.
SPACES = frozenset(
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u2060\u3000\ufeff"
)

#: Table functions that a query may use. They read nothing, or only the names and types of views, columns and functions.
TABLE_FUNCTIONS = frozenset({
    "duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_tables", "duckdb_types", "duckdb_views",
    "generate_series", "generate_subscripts", "histogram", "histogram_values", "icu_calendar_names", "json_each",
    "json_tree", "pg_timezone_names", "pragma_show", "pragma_table_info", "pragma_version", "range",
    "regexp_split_to_table", "repeat", "repeat_row", "summary", "test_all_types", "unnest",
})  # fmt: skip

#: Functions that a query may not use. They change the database, wait, show settings and paths of the machine,
#: or run or bind SQL text, which this check cannot see.
HIDDEN_FUNCTIONS = frozenset({
    "current_setting", "currval", "getenv", "getvariable", "json_execute_serialized_sql", "json_serialize_plan",
    "nextval", "pg_sleep", "setval", "sleep_ms", "write_log",
})  # fmt: skip

#: Views of DuckDB that a query may not read. They show settings, paths and other queries.
HIDDEN_VIEWS = frozenset({
    "duckdb_databases", "duckdb_logs", "pg_prepared_statements", "pg_settings", "pragma_database_list",
})  # fmt: skip

_ALLOWED = (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI)  # DuckDB reports PIVOT as MULTI
_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_CHANGING = {"COPY", "CREATE", "DELETE", "EXPORT", "INSERT", "MERGE", "TRUNCATE", "UPDATE"}
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(?P<options>\([^)]*\)\s*)?", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_QUOTES = "'\"$"
_ONLY_READ = "queries are read-only"
_ONLY_ARCHIVE = "a query can read only the views of the archive, such as: FROM labelled"
_TREE = """
    SELECT id, parent, key, atom ->> '$' FROM (SELECT json_serialize_sql($query::VARCHAR) AS tree), json_tree(tree)
    WHERE json_tree.type = 'OBJECT' OR key IN ('error', 'type', 'function_name', 'table_name', 'show_type')
"""
_TABLE_FUNCTIONS = """
    SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro', 'pragma')
"""


def reading_statement(db: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    """Parse a query.

    Args:
        db: The database with the views of the archive.
        query: The user's query.

    Raises:
        OptionError: The query is not a single statement, or may do more than read the views of the archive.
        duckdb.ParserException: The query is not valid SQL.
    """
    _check_characters(query)
    statements = db.extract_statements(query)
    if len(statements) != 1:
        count = "no query" if not statements else f"{len(statements)} queries"
        raise OptionError(f"{in_short(query)} contains {count}; give one query, such as: FROM labelled LIMIT 10")
    (statement,) = statements
    inner, keyword = _explained(db, statement), _changing_keyword(query)
    kind = _type_of(inner)
    if kind not in _ALLOWED or keyword:
        first = _WORD.search(inner.query)
        name = kind.name.replace("_", " ") if kind else first[0].upper() if first else "this statement"
        raise _changes(keyword or name, keyword if kind in _ALLOWED else None)
    if inner.named_parameters:
        raise OptionError(PARAMETERS)
    if kind == duckdb.StatementType.SELECT:
        _check_tree(db, inner.query)
    else:
        _check_words(db, query)
    return statement


def in_short(query: str) -> str:
    """Return the beginning of a query for a message."""
    text = " ".join(query.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _changes(what: str, word: str | None) -> OptionError:
    hint = f'; if {word} is a column name, put it in double quotes: "{word.lower()}"' if word else ""
    return OptionError(
        f"{what} is not allowed, because {_ONLY_READ}; use SELECT, DESCRIBE, SUMMARIZE or EXPLAIN; to write the result "
        f"to a file, add -o FILE{hint}"
    )


def _hidden(kind: str, name: str) -> OptionError:
    return OptionError(f"the {kind} {name} is not allowed, because {_ONLY_ARCHIVE}")


def _type_of(statement: duckdb.Statement) -> duckdb.StatementType | None:
    """Return the type of a statement; None if DuckDB's Python package does not know it, such as UPDATE EXTENSIONS."""
    try:
        return statement.type
    except ValueError:
        return None


def _explained(db: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> duckdb.Statement:
    """Return the statement that an EXPLAIN statement explains. Return any other statement unchanged."""
    found = _EXPLAIN.match(statement.query) if _type_of(statement) == duckdb.StatementType.EXPLAIN else None
    if not found:
        return statement
    for start in (found.start("options"), found.end()):  # after EXPLAIN, parentheses hold options or a query
        try:
            (inner,) = db.extract_statements(statement.query[start if start >= 0 else found.end() :])
        except (duckdb.Error, ValueError):
            continue
        return inner
    return statement


# -- characters and words ----------------------------------------------------------------------------------------------


def _check_characters(query: str) -> None:
    """Refuse characters that DuckDB reads as a space, or as the end of the query."""
    try:
        query.encode()
    except UnicodeEncodeError:
        raise OptionError("the query is not valid UTF-8; type it again, or save the file in UTF-8") from None
    if "\0" in query:
        raise OptionError("the query contains a NUL character; remove it")
    for text, kind in _tokens(query):
        if kind == duckdb.token_type.comment:
            continue
        after = max(map(text.rfind, _QUOTES)) + 1  # only spaces can follow a literal or a quoted name
        found = next((one for one in text[after:] if one in SPACES), None)
        if found:
            raise OptionError(
                f"the query contains the character U+{ord(found):04X} ({unicodedata.name(found)}), which looks like a "
                "space or is invisible; replace it with an ordinary space, or put it in quotes"
            )


def _tokens(query: str) -> Iterator[tuple[str, duckdb.token_type]]:
    """Yield (text up to the next token, kind) for each token of a query."""
    encoded, tokens = query.encode(), list(duckdb.tokenize(query))
    tokens.insert(0, (0, duckdb.token_type.operator))  # the spaces before the first token
    ends = [position for position, _ in tokens[1:]] + [len(encoded)]
    for (position, kind), end in zip(tokens, ends, strict=True):
        yield encoded[position:end].decode(errors="replace"), kind


def _changing_keyword(query: str) -> str | None:
    """Return the first keyword that changes data, such as INSERT, or None."""
    for text, kind in _tokens(query):
        word = _WORD.match(text)
        if kind == duckdb.token_type.keyword and word and word[0].upper() in _CHANGING:
            return word[0].upper()
    return None


def _check_words(db: duckdb.DuckDBPyConnection, query: str) -> None:
    """Check the names in a query for which DuckDB gives no syntax tree (PIVOT)."""
    tokens = [(text.strip(), kind) for text, kind in _tokens(query) if kind != duckdb.token_type.comment]
    functions = {name for (name,) in db.cursor().execute(_TABLE_FUNCTIONS).fetchall()} - TABLE_FUNCTIONS
    for (text, kind), (after, _) in pairwise([*tokens, ("", None)]):
        name = text.strip('"').lower()
        if kind == duckdb.token_type.string_const:
            continue
        if after.startswith("(") and name in functions | HIDDEN_FUNCTIONS:
            raise _hidden("function", name)
        if name in HIDDEN_VIEWS:
            raise _hidden("view", name)
        if name == "show":
            raise _hidden("statement", "SHOW")


# -- the syntax tree ---------------------------------------------------------------------------------------------------


@dataclass
class _Node:
    """A node of the syntax tree: its key in the parent node, and those of its values that the check needs."""

    key: str
    values: dict[str, str] = field(default_factory=dict)


def _check_tree(db: duckdb.DuckDBPyConnection, query: str) -> None:
    """Check the syntax tree of a SELECT statement, which DuckDB's own parser makes."""
    nodes: dict[int, _Node] = {}
    for number, parent, key, value in db.cursor().execute(_TREE, {"query": query}).fetchall():
        if value is None:
            nodes[number] = _Node(str(key))
        elif parent in nodes:
            nodes[parent].values[key] = value
    if not nodes or nodes[min(nodes)].values.get("error") != "false":
        raise OptionError(f"{in_short(query)} cannot be checked; write a simpler query")
    for node in nodes.values():
        _check_node(node)


def _check_node(node: _Node) -> None:
    kind, function, table = (node.values.get(key, "") for key in ("type", "function_name", "table_name"))
    if kind.endswith("_NODE") and kind not in _NODES:
        raise _changes(kind.split("_")[0], None)
    if node.key == "function" and function.lower() not in TABLE_FUNCTIONS:
        raise _hidden("function", function)
    if function.lower() in HIDDEN_FUNCTIONS:
        raise _hidden("function", function)
    if kind == "BASE_TABLE" and table.lower() in HIDDEN_VIEWS:
        raise _hidden("view", table)
    if kind == "SHOW_REF" and node.values.get("show_type") == "SHOW" and table:
        raise OptionError(f"SHOW {table} is not allowed; use SHOW TABLES, or DESCRIBE with the name of a view")
