"""Results of queries in a terminal: as a table if it fits, otherwise each row as a list."""

import pyarrow as pa
import pytest
from rich.console import Console

from emojob.jobs.terminal import query_table
from emojob.jobs.terminal.query_table import print_table
from emojob.pipeline.warehouse.query import QueryResult


@pytest.fixture
def terminal(monkeypatch):
    """Print for a terminal of 80 characters."""

    def console(**options):
        return Console(**{"force_terminal": True, "width": 80, "no_color": True, **options})

    monkeypatch.setattr(query_table, "Console", console)


def result(table: pa.Table) -> QueryResult:
    return QueryResult(table.schema, iter(table.to_batches()))


def test_a_row_of_many_columns_is_shown_as_a_list(terminal, capsys):
    long = "배송이 늦어서 화가 납니다. " * 10
    print_table(result(pa.table({f"column_{i}": [long, None] for i in range(100)})))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 101 + 1
    assert lines[1].startswith("column_0   배송이 늦어서")
    assert lines[1].endswith("…")
    assert lines[-1] == "2 rows"


def test_few_columns_are_a_table_and_long_texts_are_folded(terminal, capsys):
    print_table(result(pa.table({"text": ["배송이 늦어서 화가 납니다. " * 10], "emotion": ["분노"], "n": [1]})))
    printed = capsys.readouterr().out
    assert "row 1" not in printed
    assert printed.count("배송이") == 10


def test_only_the_first_rows_are_shown_as_lists(terminal, capsys):
    print_table(result(pa.table({f"column_{i}": list(range(50)) for i in range(30)})))
    printed = capsys.readouterr().out
    assert printed.count("─ row ") == 20
    assert "50 rows; only 20 are shown" in printed


def test_a_wide_result_in_a_pipe_is_one_line_for_each_row(capsys):
    print_table(result(pa.table({f"column_{i}": ["값"] * 2 for i in range(100)})))
    assert len([line for line in capsys.readouterr().out.splitlines() if "값" in line]) == 2
