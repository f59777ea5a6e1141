"""Converts the errors of a user's query to one line that contains no value of the archive."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from emojob.pipeline.warehouse.database import type_conflict
from emojob.schemas.errors import EmojobError, InputError, OptionError

#: DuckDB raises these errors before any row is read, so the error messages contain no dialogue.
QUERY_ERRORS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)

_PASSED_ON = (EmojobError, duckdb.IOException, duckdb.OutOfMemoryException, OSError)
_KIND = re.compile(r"([A-Z][A-Za-z ]*Error): ")
#: The type that a value was converted to. Only names of types match, because the message may contain dialogue.
_TYPE = re.compile(
    r".*\b(?:to|type) (U?INT\d+|U?(?:TINY|SMALL|BIG|HUGE)INT|INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+, ?\d+\)|BOOL(?:EAN)?|"
    r"DATE|TIME(?:STAMP)?(?:_S|_MS|_NS| WITH TIME ZONE)?|INTERVAL|UUID|BLOB|BIT)(?= when casting |\s*$)",
    re.DOTALL,
)
# A column of emojob's own views in a list of columns that DuckDB proposes.
_OWN = r'"emojob (?:moment|part|row) \d+"'
_OWN_COLUMN = re.compile(rf"{_OWN}, |(?:, )?{_OWN}")
_POSITION = re.compile(r"\s*LINE \d+:.*", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!])\s+|\n")
_FORBIDDEN = re.compile(r"\b(SET|LOAD|INSTALL|CALL|PRAGMA) \w")  # statements that a query may not contain
_TRY = "use TRY(...) to get null instead"
_OUT_OF_RANGE = f"a value is out of range{{of}}; use a larger type such as DOUBLE, or {_TRY}"

#: The message for a query with parameters.
PARAMETERS = "parameters such as ? and $name are not supported; write the value into the query"

#: (beginning of DuckDB's message after the kind of the error, the message of emojob).
_REASONS = (
    (r"Max expression depth limit", "the query is nested too deeply; write a simpler query"),
    (r"Values were not provided for the following parameters", PARAMETERS),
    (r"More than one row returned by a subquery",
     "More than one row returned by a subquery; add LIMIT 1 or an aggregate such as max to the subquery"),
    (r"Division by zero",
     "a number is divided by zero; use nullif(..., 0) as the divisor, or TRY(...), to get null instead"),
    (r"Lists larger than|Cannot create a string of size|Arrow Appender: The maximum",
     "a value is too large for DuckDB; write a query that makes smaller texts and lists"),
    (r"Could not cast value \S+ to DECIMAL", _OUT_OF_RANGE),
    (r"Type [\w(), ]+ with value \S+ can't be cast because the value is out of range", _OUT_OF_RANGE),
)  # fmt: skip

_NAMES = (
    "check the names of the columns, functions and views (SHOW TABLES lists the views, and DESCRIBE labelled lists the "
    "columns)"
)

#: {kind of DuckDB's error: the message of emojob}, if no reason of _REASONS matches.
_KINDS = {
    "Binder Error": _NAMES,
    "Catalog Error": _NAMES,
    "Conversion Error": "a value cannot be converted{to}; use TRY_CAST(... AS ...) or TRY(...) to get null instead",
    "Out of Range Error": _OUT_OF_RANGE,
    "Invalid Input Error": f"a function does not accept a value; check the arguments of the functions, or {_TRY}",
    "Parser Error": "the syntax of the query is wrong; see https://duckdb.org/docs/stable/sql/introduction",
    "Syntax Error": "the syntax of the query is wrong; see https://duckdb.org/docs/stable/sql/introduction",
    "Not implemented Error": "DuckDB does not support an operation or a value of the query; change the query",
}


@contextlib.contextmanager
def query_errors(keep: tuple[type[duckdb.Error], ...] = QUERY_ERRORS) -> Iterator[None]:
    """Convert the errors of a query to OptionError.

    Errors about a disk, the memory or a damaged part file are not converted: `database_errors` converts them.

    Args:
        keep: Errors of these types keep DuckDB's message. The message of any other error may contain dialogue.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except _PASSED_ON:
        raise
    except MemoryError:
        raise OptionError("the result does not fit into the memory; write a query with a smaller result") from None
    except Exception as error:
        # For a damaged part file, DuckDB raises `duckdb.Error`. For an error in a query, DuckDB raises a subclass.
        if type(error) is duckdb.Error or _is_interruption(error):
            raise
        if keep and isinstance(error, keep):
            raise OptionError(f"DuckDB refused the query: {_one_line(error)}") from None
        raise failed(error) from None


@contextlib.contextmanager
def row_errors() -> Iterator[None]:
    """Convert PyArrow's errors of reading the rows of a result. PyArrow only keeps the text of DuckDB's error."""
    with query_errors(keep=()):
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            text = str(error)
            kind = _KIND.match(text)
            if kind and kind[1] == "Out of Memory Error":
                raise duckdb.OutOfMemoryException(text) from None
            if kind and kind[1] == "INTERRUPT Error":
                raise KeyboardInterrupt from None
            if kind and kind[1] in _KINDS and "emojob://" not in text:
                raise failed(error) from None
            raise duckdb.Error(text) from None  # a part file is damaged; its kind is Invalid Error, for example


def batches_of(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a result, with the errors of `row_errors`. Only one batch is in memory at once."""
    while True:
        with row_errors():
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        yield batch


@contextlib.contextmanager
def result_errors(form: str) -> Iterator[None]:
    """Convert the errors of writing the result of a query to OptionError. Errors about a disk are not converted.

    Args:
        form: Format of the result.
    """
    try:
        yield
    except (*_PASSED_ON, duckdb.Error):
        raise
    except MemoryError:
        raise OptionError("the result does not fit into the memory; write a query with a smaller result") from None
    except Exception as error:
        if _is_interruption(error):
            raise
        raise OptionError(
            f"the result cannot be written as {form} ({type(error).__name__}): CAST the columns with unusual "
            "types to VARCHAR in the query, or use another --format"
        ) from error


def failed(error: Exception) -> InputError:
    """Return the error for a query that failed.

    The error does not contain DuckDB's message, because DuckDB's message may contain dialogue.
    """
    if conflict := type_conflict(error):
        return conflict
    text = _POSITION.sub("", str(error))
    found = _KIND.match(text)
    kind, wanted = found[1] if found else type(error).__name__, _TYPE.match(text)
    reason = _known_reason(text) or _KINDS.get(kind, "DuckDB cannot run this query; write it differently")
    type_name = wanted[1] if wanted else ""
    for place, word in ("{of}", " of "), ("{to}", " to "):
        reason = reason.replace(place, word + type_name if wanted else "")
    return OptionError(f"the query failed ({kind}): {reason}")


def _known_reason(text: str) -> str | None:
    text = _KIND.sub("", text, count=1)
    return next((reason for beginning, reason in _REASONS if re.match(beginning, text)), None)


def _is_interruption(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def _one_line(error: Exception) -> str:
    """Return DuckDB's message in one line, without advice that emojob forbids, such as SET."""
    text = _OWN_COLUMN.sub("", _POSITION.sub("", str(error)))
    allowed = " ".join(one for one in _SENTENCE.split(text) if not _FORBIDDEN.search(one))
    return _known_reason(text) or " ".join(allowed.split())
