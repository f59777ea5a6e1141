"""The journal, which replaces several parts at once."""

import json

import pytest

from emojob.pipeline.output.journal import Journal, read_journal, write_journal
from emojob.pipeline.output.layout import JOURNAL_FILE, part_paths
from emojob.pipeline.output.parts import read_marker
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_part


@pytest.fixture
def marker(tmp_path):
    write_part(tmp_path, table_of([utterance("기쁨")], labels=DEFAULT_LABELS))
    return read_marker(part_paths(tmp_path, 0, 0))


def test_a_journal_names_the_replaced_parts_and_their_replacements(tmp_path, marker):
    write_journal(tmp_path, {"part-00000-000000000000-7": marker})
    journal = read_journal((tmp_path / JOURNAL_FILE).read_bytes())
    assert journal.replaced == {"part-00000-000000000000-7"}
    assert journal.replacements == {"part-00000-000000000000": marker.as_json()}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"markers": []}', b'{"markers": {"part-0-0": "x"}}'])
def test_an_invalid_journal_is_empty(content):
    assert read_journal(content) == Journal()


@pytest.mark.parametrize(("old", "new"), [("../part-0-0", "part-0-0-1"), ("part-0-0", "../../etc/passwd")])
def test_a_journal_cannot_name_a_file_outside_of_out(old, new):
    content = json.dumps({"markers": {old: {"part": f"{new}.parquet"}}}).encode()
    assert read_journal(content) == Journal()
