"""The identity of an archive: a random ID that stays, and counters of the rows that left the archive."""

import pytest

from emojob.pipeline.output.identity import Identity, Mark, count_removal, ensure_identity, new_identity, read_identity


def test_an_identity_stays_and_its_counters_grow(tmp_path):
    assert read_identity(tmp_path) is None
    first = ensure_identity(tmp_path)
    assert ensure_identity(tmp_path) == first == read_identity(tmp_path)
    assert count_removal(tmp_path) == Identity(first.id, first.removals + 1, first.replacements)
    assert new_identity(tmp_path).id != first.id


def test_a_mark_does_not_reveal_the_id():
    identity = Identity("0123456789abcdef" * 2, 3, 4)
    assert Mark.parse(str(identity.mark)) == identity.mark
    assert (identity.mark.removals, identity.mark.replacements) == (3, 4)
    assert identity.id not in str(identity.mark)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"id": 5}', b'{"id": "x"}', b'{"id": "' + b"0" * 32 + b'", "removals": -1}']
)
def test_a_damaged_identity_is_replaced(tmp_path, content):
    (tmp_path / "_emojob").mkdir()
    (tmp_path / "_emojob/archive.json").write_bytes(content)
    assert read_identity(tmp_path) is None
    assert ensure_identity(tmp_path) == read_identity(tmp_path)
