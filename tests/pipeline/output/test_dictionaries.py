"""Rows are written without values of other rows."""

import io

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from emojob.pipeline.output.dictionaries import compacted, may_hold_other_values, schema_without_values
from tests.examples import examples

WORDS = [f"word{i}." for i in range(8)]
WORD = pa.dictionary(pa.int8(), pa.string())

kinds = st.recursive(
    st.just(WORD),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        inner.map(pa.large_list),
        inner.map(lambda kind: pa.list_(kind, 2)),
        inner.map(lambda kind: pa.struct([("a", kind), ("b", pa.string())])),
        inner.map(lambda kind: pa.map_(pa.string(), kind)),
    ),
    max_leaves=3,
)


def values(kind: pa.DataType) -> st.SearchStrategy:
    """Values of a type that `kinds` generates."""
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return st.none() | st.sampled_from(WORDS)
    if pa.types.is_fixed_size_list(kind):
        return st.lists(values(kind.value_type), min_size=2, max_size=2)
    if pa.types.is_struct(kind):
        return st.none() | st.fixed_dictionaries({field.name: values(field.type) for field in kind})
    if pa.types.is_map(kind):
        return st.none() | st.lists(st.tuples(st.sampled_from(WORDS), values(kind.item_type)), max_size=3)
    return st.none() | st.lists(values(kind.value_type), max_size=3)


def of_type(kind: pa.DataType, rows: list, reverse: bool = False) -> pa.Array:
    """An array whose dictionaries contain all WORDS."""
    words = WORDS[::-1] if reverse else WORDS
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(pa.array([r and words.index(r) for r in rows], pa.int8()), words)
    if pa.types.is_string(kind):
        return pa.array(rows, kind)
    missing = pa.array([row is None for row in rows], pa.bool_())
    if pa.types.is_struct(kind):
        children = [of_type(field.type, [row and row[field.name] for row in rows], reverse) for field in kind]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=missing)
    if pa.types.is_fixed_size_list(kind):
        flat = [one for row in rows for one in row or [None] * kind.list_size]
        return pa.FixedSizeListArray.from_arrays(of_type(kind.value_type, flat, reverse), type=kind)
    flat = [one for row in rows for one in row or ()]
    offsets = [None if row is None else sum(len(r or ()) for r in rows[:i]) for i, row in enumerate(rows)]
    offsets.append(len(flat))
    if pa.types.is_map(kind):
        keys, items = (
            pa.array([k for k, _ in flat], pa.string()),
            of_type(kind.item_type, [v for _, v in flat], reverse),
        )
        return pa.MapArray.from_arrays(offsets, keys, items)
    if pa.types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), of_type(kind.value_type, flat, reverse))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), of_type(kind.value_type, flat, reverse))


def file_of(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="none", write_statistics=True, store_schema=True)
    return stream.getvalue()


@examples(300)
@given(st.data())
def test_a_file_of_compacted_rows_contains_the_words_of_these_rows_only(data):
    kind = data.draw(kinds)
    first, second = (data.draw(st.lists(values(kind), max_size=6)) for _ in range(2))
    column = pa.chunked_array([of_type(kind, first), of_type(kind, second, reverse=True)])
    begin = data.draw(st.integers(0, len(column)))
    table = pa.table({"x": column}).slice(begin)
    found = compacted(table)
    found.validate(full=True)
    assert found.schema.equals(table.schema)
    assert found.to_pylist() == table.to_pylist()
    content = file_of(found)
    shown = str(table.to_pylist())
    assert [word for word in WORDS if word.encode() in content] == [word for word in WORDS if word in shown]


def test_a_list_view_and_an_extension_type_are_compacted():
    words = pa.DictionaryArray.from_arrays([0, 1, 2], ["aaa", "bbb", "ccc"])
    views = pa.ListViewArray.from_arrays([2, 0, 1], [1, 1, 1], words, mask=pa.array([False, False, True]))
    large = pa.LargeListViewArray.from_arrays([2, 0, 1], [1, 1, 1], words)
    table = pa.table({"views": views, "large": large}).slice(1)
    found = compacted(table)
    assert (
        found.to_pylist()
        == table.to_pylist()
        == [{"views": ["aaa"], "large": ["aaa"]}, {"views": None, "large": ["bbb"]}]
    )
    assert b"ccc" not in file_of(found)


def test_dictionaries_too_large_together_for_their_index_stay_apart():
    parts = [pa.array([f"{n}-{i}" for i in range(100)]).dictionary_encode().cast(WORD) for n in range(2)]
    table = pa.table({"x": pa.chunked_array(parts)}).slice(50)
    assert compacted(table).to_pylist() == table.to_pylist()
    assert [len(chunk.dictionary) for chunk in compacted(table)["x"].chunks] == [50, 100]


@pytest.mark.parametrize("keep_own", [False, True])
def test_metadata_with_values_is_left_out(keep_own):
    inner = pa.field("item", pa.string(), metadata={"_PL_ENUM": "secret"})
    fields = [
        pa.field("a", pa.list_(inner), metadata={"_PL_ENUM": "secret", "PARQUET:field_id": "3"}),
        pa.field("b", pa.string(), metadata={"ARROW:extension:name": "x.y", "ARROW:extension:metadata": "secret"}),
        pa.field("c", pa.struct([inner]), metadata={"ARROW:extension:name": "arrow.opaque"}),
        pa.field("d", pa.map_(pa.string(), inner)),
    ]
    pandas = b'{"attributes": {"who": "secret"}, "columns": [], "pandas_version": "3.0"}'
    schema = pa.schema(fields, {"owner": "shop", "pandas": pandas, "emojob": "{}"})
    found = schema_without_values(schema, keep_own)
    assert found.equals(schema)
    assert "secret" not in found.to_string(show_field_metadata=True)
    wanted = {b"pandas": b'{"columns": [], "pandas_version": "3.0"}', b"emojob": b"{}"}
    assert found.metadata == (wanted | {b"owner": b"shop"} if keep_own else wanted)
    assert found.field("a").metadata == {b"PARQUET:field_id": b"3"}
    assert found.field("c").metadata == {b"ARROW:extension:name": b"arrow.opaque"}


@pytest.mark.parametrize("pandas", [b"{", b"[]", b"5", b"\xff"])
def test_damaged_pandas_metadata_is_left_out(pandas):
    assert schema_without_values(pa.schema([("a", pa.int8())], {"pandas": pandas})).metadata in (
        None,
        {b"pandas": b"{}"},
    )


def test_a_file_of_an_earlier_version_may_hold_values_of_other_rows():
    plain, label, status = (
        pa.field("text", pa.string()),
        pa.field("x_emotion", WORD),
        pa.field("x_emotion_status", WORD),
    )
    assert not may_hold_other_values(pa.schema([plain, label, status]))
    assert may_hold_other_values(pa.schema([plain, label]))
    assert may_hold_other_values(pa.schema([pa.field("x", pa.list_(WORD)), label, status]))
    assert may_hold_other_values(pa.schema([plain, label, status], {"owner": "shop"}))


def test_the_label_column_keeps_the_names_of_all_labels():
    names = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), ["aaa", "bbb"])
    table = pa.table({"x": names, "emotion": names, "emotion_status": names}).slice(1)
    assert [compacted(table)[name].chunk(0).dictionary.to_pylist() for name in table.column_names] == [
        ["bbb"], ["aaa", "bbb"], ["aaa", "bbb"],
    ]  # fmt: skip
