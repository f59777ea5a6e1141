"""A model that reads the previous utterance gets the right one, whatever the row batches, parts and interruptions."""

from __future__ import annotations

import decimal
import json
import shutil
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.benchmark.measure import measure
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.output import part_writer
from emojob.pipeline.reading import chunks, context
from emojob.pipeline.reading.context import (
    Conversations,
    conversations_before,
    previous_texts,
    with_conversation_column,
)
from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.pipeline.running.dry_run import plan_run
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.columns import EMPTY, SCORED, STATUSES, TRUNCATED
from emojob.schemas.errors import ColumnError, Interrupted, ModelError, OptionError, OutputError
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.examples import examples

TEXTS = sample_texts()[:200]
_BLANK = [None, "", "  \u3000\t", "\u200b"]


@pytest.fixture(scope="module")
def pair_model(make_model):
    """A model folder that says it was trained on pairs."""
    return make_model(emojob_context="previous")


@pytest.fixture(scope="module")
def scorer(pair_model) -> Scorer:
    return load(pair_model)


@pytest.fixture
def model(pair_model) -> ModelOptions:
    return ModelOptions(model=str(pair_model), precision="fp32")


def load(folder, **options) -> Scorer:
    return Scorer.load(str(folder), ModelOptions(**{"precision": "fp32", **options}))


def by_hand(rows: list[tuple[object, str | None]], most: int = 10**9, step: int = 10**9) -> list[str | None]:
    """The previous utterance of each (conversation, text), row by row; at most `most` remembered after each `step`."""
    last: dict[object, str] = {}
    found = []
    for i, (conversation, text) in enumerate(rows):
        if i % step == 0:
            for key in list(last)[: max(0, len(last) - most)]:
                del last[key]
        blank = text is None or not text.strip(" \u3000\t\u200b")
        nowhere = conversation is None or not str(conversation).strip()
        found.append(None if blank or nowhere else last.get(conversation))
        if not blank and not nowhere:
            last.pop(conversation, None)
            last[conversation] = text
    return found


# -- pairs ---------------------------------------------------------------------------------------------------------


def test_probabilities_of_pairs_are_those_of_stock_transformers(pair_model, scorer):
    previous = [None, *TEXTS[:-1]]
    stock = AutoModelForSequenceClassification.from_pretrained(pair_model, dtype=torch.float32).eval()
    expected, without_segments = [], []
    for before, text in zip(previous, TEXTS, strict=True):
        pair = scorer.model.tokenizer.encode([text if before is None else before], 64, before and [text])
        ids = torch.from_numpy(pair.ids.astype(np.int64))[None]
        segments = torch.zeros_like(ids) if before is None else torch.from_numpy(pair.segments.astype(np.int64))[None]
        with torch.inference_mode():
            expected.append(stock(input_ids=ids, token_type_ids=segments).logits.softmax(-1).numpy())
            without_segments.append(stock(input_ids=ids).logits.softmax(-1).numpy())
    got = scorer.score(TEXTS, previous).probabilities
    assert np.abs(got - np.concatenate(expected)).max() < 1e-5
    assert np.abs(got - np.concatenate(without_segments)).max() > 1e-3
    assert np.abs(got - scorer.score(TEXTS).probabilities).max() > 1e-3


_WORDS = st.lists(st.sampled_from(["네", "정말", "고마웠어요", "1,000원", "왜", "늦어요"]), max_size=9).map(" ".join)
_TEXTS = st.one_of(st.none(), _WORDS, st.sampled_from(["", " ", "\u200b"]))


@examples(80)
@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=8), st.sampled_from([5, 6, 9, 64, None]))
def test_a_text_is_encoded_behind_its_previous_one_or_alone(golden_tokenizer, rows, max_length):
    previous, texts = [one for one, _ in rows], [one for _, one in rows]
    encoded = golden_tokenizer.encode_with_previous(texts, previous, max_length)
    assert len(encoded.segments) == len(encoded.ids)
    segments = np.split(encoded.segments, encoded.offsets[1:-1]) if rows else []
    for i, ids in enumerate(encoded.tolist()):
        before, text = (golden_tokenizer.encode([one], None).lengths[0] > 2 for one in (previous[i], texts[i]))
        if before and text:
            alone = golden_tokenizer.encode([previous[i]], max_length, [texts[i]])
            assert segments[i].tolist() == alone.segments.tolist()
        else:
            alone = golden_tokenizer.encode([texts[i]], max_length)
            assert not segments[i].any()
        assert ids == alone.ids.tolist()
        assert encoded.truncated[i] == alone.truncated[0]


@pytest.fixture(scope="module")
def golden_tokenizer(pair_model) -> KoBertTokenizer:
    return KoBertTokenizer(pair_model / "spiece.model")


def test_a_pair_needs_room_for_five_tokens(golden_tokenizer, pair_model):
    with pytest.raises(ValueError, match="4 tokens"):
        golden_tokenizer.encode_with_previous(["네"], ["왜"], 4)
    with pytest.raises(OptionError, match=r"--max-length 4 .* give 5 to 512"):
        load(pair_model, max_length=4)
    with pytest.raises(OptionError, match=r"--max-length 4 .* give 5 to 512"):
        ModelOptions(context="previous", max_length=4)
    scored = load(pair_model, max_length=5).score(["정말 고마웠어요", "네"], ["늦었어요", None])
    assert [STATUSES[i] for i in scored.statuses] == [TRUNCATED, SCORED]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_neighbours_and_memo_do_not_change_a_single_bit_of_a_pair(make_model, precision):
    pair_model = make_model(emojob_context="previous", hidden_size=128)  # bf16 kernels for tiny heads round by batch
    previous = [*TEXTS[50:], *([None] * 50)]
    expected = load(pair_model, precision=precision).score(TEXTS, previous).probabilities
    for batch_tokens in (1, 77, 500):
        other = load(pair_model, precision=precision, batch_tokens=batch_tokens)
        other.score(TEXTS[::3], previous[::3])
        assert np.array_equal(other.score(TEXTS, previous).probabilities, expected), batch_tokens


def test_a_pair_seen_before_is_not_inferred_again_but_another_is(pair_model):
    scorer = load(pair_model)
    scorer.score(["네", "네", "네", "네"], ["왜 늦어요", "고마워요", " 왜  늦어요", None])
    assert scorer.tally.inferred_rows == 3
    scorer.score(["네", "고마워요"], ["고마워요", "네"])
    assert scorer.tally.inferred_rows == 4


def test_blank_texts_stay_empty_whatever_came_before(scorer):
    scored = scorer.score(["기뻐요", *_BLANK], ["안녕하세요"] * 5)
    assert [STATUSES[i] for i in scored.statuses] == [SCORED, EMPTY, EMPTY, EMPTY, EMPTY]
    alone = scorer.score(["기뻐요"] * 5, [None, *_BLANK]).probabilities
    assert np.array_equal(alone, np.repeat(scorer.score(["기뻐요"]).probabilities, 5, axis=0))


def test_a_pair_that_was_cut_says_so(pair_model):
    long = "말이 끝없이 길어지면 뒤는 읽히지 않습니다 정말로 " * 3
    scored = load(pair_model, max_length=16).score(["네", "네", long], [long, "왜요", "네"])
    assert [STATUSES[i] for i in scored.statuses] == [TRUNCATED, SCORED, TRUNCATED]


def test_columns_of_any_string_type_are_prepared_alike(scorer):
    texts, previous = pa.array(["기뻐요", None, "네", "네"]), pa.array([None, "왜", "왜", "기뻐요"])
    expected = scorer.score(texts.to_pylist(), previous.to_pylist()).probabilities
    for column in (texts, texts.cast(pa.large_string()), texts.dictionary_encode(), texts.cast(pa.string_view())):
        for before in (previous, previous.cast(pa.large_string()), previous.dictionary_encode()):
            prepared = scorer.prepare(column, before)
            assert np.array_equal(
                scorer.label(prepared, scorer.infer(prepared)).probabilities, expected, equal_nan=True
            )


def test_a_model_without_context_takes_no_previous_texts(tiny_model):
    with pytest.raises(OptionError, match="trained with the context 'none'"):
        load(tiny_model).score(["네"], ["왜"])


def test_as_many_previous_texts_as_texts(scorer):
    with pytest.raises(OptionError, match="2 texts, but 1 previous"):
        scorer.score(["네", "네"], ["왜"])


def test_no_flag_is_needed_and_the_wrong_one_is_an_error(pair_model, tiny_model):
    assert load(pair_model).options.context == load(pair_model, context="previous").options.context == "previous"
    assert load(tiny_model).options.context == "none"
    with pytest.raises(OptionError, match="give --context previous"):
        load(pair_model, context="none")
    assert load(pair_model).fingerprint != load(tiny_model).fingerprint


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"emojob_context": "next"}, "emojob_context 'next'"),
        ({"emojob_context": ["previous"]}, r"emojob_context \['previous'\]"),
        ({"emojob_context": "previous", "type_vocab_size": 1}, "type_vocab_size of 2"),
    ],
)
def test_a_context_that_cannot_be_is_refused(make_model, config, said):
    with pytest.raises(ModelError, match=said):
        load(make_model(**config))


# -- which utterance is the previous one ---------------------------------------------------------------------------

_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", "e", None, "", " "]),
        st.sampled_from(["하나", "둘", "셋", "넷", "다섯 여섯", *_BLANK]),
    ),
    max_size=60,
)


def seen(rows, cuts, kind=None) -> list[str | None]:
    """What Conversations finds in rows that come in row batches cut at random."""
    names = pa.array([name for name, _ in rows], pa.string())
    names = names if kind is None else names.cast(kind)
    batch = pa.record_batch({"text": pa.array([text for _, text in rows], pa.string()), "c": names})
    conversations, found, at = Conversations("text", "c"), [], 0
    for size in [*cuts, len(rows)]:
        within = batch.slice(at, size)
        found += conversations.previous(RowBatch(within, at, within.num_rows, [])).to_pylist()
        at += within.num_rows
    return found


def only_with_text(rows, found):
    """Of rows without text it does not matter what came before."""
    return [
        one for (_, text), one in zip(rows, found, strict=True) if text is not None and text.strip(" \u3000\t\u200b")
    ]


@examples(200)
@given(_ROWS, st.lists(st.integers(1, 20), max_size=6))
def test_the_previous_is_the_nearest_earlier_row_with_text_of_the_conversation(rows, cuts):
    expected = by_hand(rows)
    for kind in (None, pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.string_view(), pa.binary()):
        if kind == pa.binary():  # bytes are never blank
            rows = [((name and name.strip()) or None, text) for name, text in rows]
        assert only_with_text(rows, seen(rows, cuts, kind)) == only_with_text(rows, expected)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [1, 2, 7, 16])
def test_what_is_forgotten_depends_on_the_rows_alone(monkeypatch, most, step):
    monkeypatch.setattr(context, "CONVERSATIONS", most)
    monkeypatch.setattr(context, "_STEP", step)
    chance = np.random.default_rng([most, step])
    for _ in range(20):
        said = [f"{i}번째 말" if chance.random() < 0.9 else None for i in range(80)]
        rows = [("abcdef"[chance.integers(6)], text) for text in said]
        found = seen(rows, chance.integers(1, 30, 4).tolist())
        assert only_with_text(rows, found) == only_with_text(rows, by_hand(rows, most, step))
    assert any(a != b for a, b in zip(by_hand(rows, most, step), by_hand(rows), strict=True))


def test_long_utterances_are_forgotten_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(context, "CHARACTERS", 25)
    monkeypatch.setattr(context, "_STEP", 4)
    rows = [("a", "가" * 10), ("b", "나" * 10), ("c", "다" * 10), ("d", "라"), ("a", "네"), ("b", "네"), ("d", "네")]
    assert seen(rows, []) == [None, None, None, None, None, "나" * 10, "라"]


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, None, 1],
        [1.0, 2.0, float("nan"), 1.0],
        [2**60 + 1, 2**60, None, 2**60 + 1],
        [decimal.Decimal("7"), decimal.Decimal("8"), None, decimal.Decimal("7")],
        pa.array([uuid.UUID(int=i).bytes if i else None for i in (1, 2, 0, 1)], pa.uuid()),
        pa.array([uuid.UUID(int=i).bytes if i else None for i in (1, 2, 0, 1)], pa.binary(16)),
        pa.array([5, 6, None, 5], pa.int16()).dictionary_encode(),
    ],
    ids=str,
)
def test_conversations_may_be_numbers_and_bytes(values):
    column = values if isinstance(values, (pa.Array, pa.ExtensionArray)) else pa.array(values)
    batch = pa.record_batch({"text": ["하나", "둘", "셋", "넷"], "c": column})
    conversations = Conversations("text", "c")
    found = [conversations.previous(RowBatch(batch.slice(i, 1), i, 1, [])).to_pylist() for i in range(4)]
    assert found == [[None], [None], [None], ["하나"]]
    assert Conversations("text", "c").previous(RowBatch(batch, 0, 4, [])).to_pylist() == [None, None, None, "하나"]


def test_rejected_rows_count_among_the_rows_of_a_step(monkeypatch):
    monkeypatch.setattr(context, "CONVERSATIONS", 1)
    monkeypatch.setattr(context, "_STEP", 3)
    batch = pa.record_batch({"text": ["하나", "둘", "셋"], "c": ["a", "b", "a"]})
    conversations = Conversations("text", "c")
    found = conversations.previous(RowBatch(batch, 0, 4, [Reject(2, "no reason", "")]))
    assert found.to_pylist() == [None, None, None]  # a was forgotten at row 3, with b seen later


def test_a_column_without_any_conversation_gives_no_previous():
    batch = pa.record_batch({"text": ["하나", "둘"], "c": pa.nulls(2)})
    assert Conversations("text", "c").previous(RowBatch(batch, 0, 2, [])).to_pylist() == [None, None]


def test_utterances_and_conversations_that_are_not_utf8_are_taken_as_they_are():
    raw = pa.array([b"\xff one", b"two", b"\xff one"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    batch = pa.record_batch({"text": column, "c": column})
    assert Conversations("text", "c").previous(RowBatch(batch, 0, 3, [])).to_pylist() == [None, None, "\ufffd one"]


def test_of_a_very_long_utterance_only_the_beginning_is_kept():
    batch = pa.record_batch({"text": ["가" * 100_000, "네", "네"], "c": [1, 1, 1]})
    conversations = Conversations("text", "c")
    for i, length in enumerate([None, context.LONGEST, 1]):
        (found,) = conversations.previous(RowBatch(batch.slice(i, 1), i, 1, [])).to_pylist()
        assert (found and len(found)) == length


def test_consecutive_texts_are_one_conversation():
    assert previous_texts(["하나", " ", "둘", "셋"]) == [None, "하나", "하나", "둘"]
    assert previous_texts(["하나", "\ud83d"], "영") == ["영", "하나"]
    assert previous_texts([]) == []


# -- runs ----------------------------------------------------------------------------------------------------------

ROWS = 2400


def rows_of_dialogue() -> list[tuple[int | None, str | None]]:
    """Conversations of some hundred rows, a dozen at a time interleaved, with rows that say nothing or are in none."""
    chance = np.random.default_rng(3)
    texts = [*sample_texts(), *_BLANK]
    rows = []
    for i in range(ROWS):
        conversation = 12 * (i // 900) + int(chance.integers(12))
        text = texts[int(chance.integers(len(texts)))]
        rows.append((None if chance.random() < 0.05 else conversation, text))
    return rows


@pytest.fixture
def dialogue(tmp_path):
    """An archive of interleaved conversations, in row groups of 700 rows."""
    rows = rows_of_dialogue()
    table = pa.table(
        {
            "id": range(ROWS),
            "dialog_id": pa.array([name for name, _ in rows], pa.int64()),
            "text": pa.array([text for _, text in rows]),
            "other": pa.array([f"{i % 7}" for i in range(ROWS)]).dictionary_encode(),
        }
    )
    file = tmp_path / "log.parquet"
    pq.write_table(table, file, row_group_size=700)
    return file


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of 400 rows made of chunks of 80."""
    monkeypatch.setattr(part_writer, "PART_ROWS", 400)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(chunks, name, 80)


def read(out) -> pa.Table:
    files = sorted(out.glob("part-*.parquet")) if out.is_dir() else [out]
    return pa.concat_tables([pq.read_table(file) for file in files]).replace_schema_metadata(None)


def probabilities(table: pa.Table) -> np.ndarray:
    return np.stack([table[name].to_numpy() for name in table.schema.names if name.startswith("prob_")], axis=1)


def test_a_run_labels_each_row_with_its_previous_one(dialogue, model, scorer, tmp_path):
    result = score_dataset([str(dialogue)], tmp_path / "out", model_options=model)
    rows = rows_of_dialogue()
    expected = scorer.score([text for _, text in rows], by_hand(rows)).probabilities
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected, equal_nan=True)
    assert result.run["options"]["context"] == result.run["model"]["context"] == "previous"
    assert result.run["options"]["conversation_column"] == result.run["conversation_column"] == "dialog_id"
    assert read(tmp_path / "out").select(["id", "dialog_id", "text", "other"]).equals(pq.read_table(dialogue))


def test_windows_and_parts_do_not_change_a_single_bit(dialogue, model, tmp_path, request):
    score_dataset([str(dialogue)], tmp_path / "whole", model_options=model)
    request.getfixturevalue("small_parts")
    score_dataset([str(dialogue)], tmp_path / "small", model_options=model)
    assert len(list((tmp_path / "small").glob("part-*.parquet"))) == 6
    assert read(tmp_path / "small").equals(read(tmp_path / "whole"))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_run_that_was_stopped_goes_on_with_what_was_said_before(dialogue, model, tmp_path, monkeypatch, forgetful):
    if forgetful:
        monkeypatch.setattr(context, "CONVERSATIONS", 5)
        monkeypatch.setattr(context, "_STEP", 64)
    score_dataset([str(dialogue)], tmp_path / "whole", model_options=model)
    rounds = 0
    while True:
        stages = Stages()
        try:
            score_dataset(
                [str(dialogue)],
                tmp_path / "out",
                model_options=model,
                report=lambda progress, stages=stages: progress.rows_done >= 500 and stages.stop(),
                stages=stages,
            )
            break
        except Interrupted:
            rounds += 1
    assert rounds >= 2
    assert read(tmp_path / "out").equals(read(tmp_path / "whole"))


@pytest.mark.usefixtures("small_parts")
def test_what_was_said_before_is_read_in_its_two_columns_and_no_further_than_told(dialogue, monkeypatch):
    dataset = with_conversation_column(open_dataset(find_inputs([str(dialogue)])), "previous", None)
    looked_at = []
    previous = Conversations.previous
    monkeypatch.setattr(
        Conversations, "previous", lambda self, row_batch: looked_at.append(row_batch) or previous(self, row_batch)
    )
    conversations_before(dataset, dataset.sources[0], 1000, 300)
    assert sum(row_batch.rows_read for row_batch in looked_at) == 1000
    assert {name for row_batch in looked_at for name in row_batch.batch.schema.names} == {"dialog_id", "text"}
    looked_at.clear()
    conversations_before(dataset, dataset.sources[0], 1000, 300, stopping=lambda: True)
    assert len(looked_at) == 1


def test_a_limit_and_then_the_others_are_the_same_as_all_at_once(dialogue, model, tmp_path):
    score_dataset([str(dialogue)], tmp_path / "whole", model_options=model)
    assert score_dataset([str(dialogue)], tmp_path / "out", ScoreOptions(limit=1234), model).rows_done == 1234
    assert score_dataset([str(dialogue)], tmp_path / "out", model_options=model).rows_done == ROWS - 1234
    assert read(tmp_path / "out").equals(read(tmp_path / "whole"))


@pytest.mark.usefixtures("small_parts")
def test_csv_and_jsonl_get_the_labels_of_parquet_after_an_interruption_too(dialogue, model, tmp_path):
    rows = [(name, text) for name, text in rows_of_dialogue() if text != "  \u3000\t"]
    table = pa.table({"대화ID": [name for name, _ in rows], "text": [text or "" for _, text in rows]})
    pq.write_table(table, tmp_path / "a.parquet")
    quoted = [(text or "").replace('"', '""') for _, text in rows]
    lines = [f'{"" if name is None else name},"{text}"' for (name, _), text in zip(rows, quoted, strict=True)]
    (tmp_path / "b.csv").write_text("대화ID,text\n" + "\n".join(lines) + "\n")
    objects = [json.dumps(one, ensure_ascii=False) for one in table.to_pylist()]
    (tmp_path / "c.jsonl").write_text("\n".join(objects) + "\n")
    labels = []
    for name in ("a.parquet", "b.csv", "c.jsonl"):
        out = tmp_path / f"{name}.out"
        for limit in (700, None):
            score_dataset([str(tmp_path / name)], out, ScoreOptions(limit=limit), model)
        labels.append(probabilities(read(out)))
    assert np.array_equal(labels[0], labels[1], equal_nan=True)
    assert np.array_equal(labels[0], labels[2], equal_nan=True)


def test_rejected_rows_do_not_shift_what_came_before(model, scorer, tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("session_id,text\na,하나요\nb,너무,많은,칸\nb,두 번째\na,세 번째\nb,네 번째\n")
    score_dataset([str(file)], tmp_path / "out", model_options=model)
    expected = scorer.score(["하나요", "두 번째", "세 번째", "네 번째"], [None, None, "하나요", "두 번째"])
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected.probabilities)


def test_a_conversation_does_not_reach_from_one_input_into_the_next(model, scorer, tmp_path):
    for name in ("a", "b"):
        pq.write_table(
            pa.table({"conversation_id": [1, 1], "text": ["안녕하세요", "네"]}), tmp_path / f"{name}.parquet"
        )
    score_dataset([str(tmp_path)], tmp_path / "out", model_options=model)
    expected = scorer.score(["안녕하세요", "네"] * 2, [None, "안녕하세요"] * 2).probabilities
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected)


def test_the_folder_of_a_file_may_be_its_conversation(model, scorer, tmp_path):
    (tmp_path / "in" / "session_id=7").mkdir(parents=True)
    pq.write_table(pa.table({"text": ["안녕하세요", "네"]}), tmp_path / "in" / "session_id=7" / "a.parquet")
    score_dataset([str(tmp_path / "in")], tmp_path / "out", model_options=model)
    expected = scorer.score(["안녕하세요", "네"], [None, "안녕하세요"]).probabilities
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected)


def test_one_file_as_output_is_the_same_and_is_not_made_twice(dialogue, model, tmp_path):
    score_dataset([str(dialogue)], tmp_path / "folder", model_options=model)
    file = tmp_path / "labelled.parquet"
    score_dataset([str(dialogue)], file, ScoreOptions(), model)
    assert read(file).equals(read(tmp_path / "folder"))
    assert score_dataset([str(dialogue)], file, ScoreOptions(), model).rows_done == 0
    with pytest.raises(OutputError, match="another conversation column"):
        score_dataset([str(dialogue)], file, ScoreOptions(conversation_column="other"), model)


def test_another_conversation_column_does_not_go_into_the_same_output(dialogue, model, tmp_path):
    score_dataset([str(dialogue)], tmp_path / "out", ScoreOptions(conversation_column="other", limit=1000), model)
    with pytest.raises(OutputError, match="--conversation-column 'other', but this run uses 'dialog_id'"):
        score_dataset([str(dialogue)], tmp_path / "out", model_options=model)


def test_a_model_without_context_has_no_use_for_conversations(dialogue, tiny_model, tmp_path):
    plain = ModelOptions(model=str(tiny_model), precision="fp32")
    whole = score_dataset([str(dialogue)], tmp_path / "whole", model_options=plain)
    named = score_dataset([str(dialogue)], tmp_path / "named", ScoreOptions(conversation_column="other"), plain)
    assert read(tmp_path / "named").equals(read(tmp_path / "whole"))
    assert (whole.run["conversation_column"], named.run["conversation_column"]) == (None, None)
    assert named.run["options"]["conversation_column"] == "other"
    assert score_dataset([str(dialogue)], tmp_path / "named", model_options=plain).rows_done == 0


@pytest.mark.parametrize(
    ("columns", "given", "said"),
    [
        (
            {"a": [1]},
            None,
            "no column of a usual name holds conversations; the columns are text, a; .*--conversation-c",
        ),
        ({"a": [1]}, "aa", "has no column 'aa'; its columns are text, a; did you mean --conversation-column a?"),
        (
            {"dialog_id": [1], "Session_ID": ["1"]},
            None,
            "columns dialog_id, Session_ID may each .*--conversation-column",
        ),
        ({"a": [[1]]}, "a", "holds list<.*>, which cannot identify conversations"),
        ({"session_id": [[1]]}, None, "no column of a usual name"),
    ],
)
def test_a_missing_conversation_column_is_one_line_and_leaves_nothing(model, tmp_path, columns, given, said):
    pq.write_table(pa.table({"text": ["네"], **columns}), tmp_path / "log.parquet")
    with pytest.raises(ColumnError, match=said) as caught:
        score_dataset([str(tmp_path / "log.parquet")], tmp_path / "out", ScoreOptions(conversation_column=given), model)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_text_is_no_conversation_column(dialogue):
    dataset = open_dataset(find_inputs([str(dialogue)]))
    with pytest.raises(ColumnError, match="holds the text; give the one that identifies conversations"):
        with_conversation_column(dataset, "previous", dataset.text_column)


def test_a_dry_run_names_the_conversation_column_where_the_model_needs_one(dialogue, model, tiny_model):
    assert plan_run([str(dialogue)], None, ScoreOptions(), model)["conversation_column"] == "dialog_id"
    alone = ModelOptions(model=str(tiny_model), precision="fp32")
    assert "conversation_column" not in plan_run([str(dialogue)], None, ScoreOptions(), alone)


def test_windows_of_some_columns_have_no_others(dialogue, tmp_path):
    folder = tmp_path / "in" / "day=1"
    folder.mkdir(parents=True)
    shutil.move(dialogue, folder / "log.parquet")
    (folder / "more.csv").write_text("id,dialog_id,text,other\n1,2,네,x\n")
    for name, columns in (("log.parquet", ["text", "dialog_id"]), ("more.csv", ["day", "text"])):
        dataset = open_dataset(find_inputs([str(tmp_path / "in" / "*" / name)]))
        (row_batch, *_) = read_batches(dataset, dataset.sources[0], columns=columns)
        assert sorted(row_batch.batch.schema.names) == sorted({*columns} & {*dataset.schema.names})
        assert row_batch.batch.column("text").equals(
            next(read_batches(dataset, dataset.sources[0])).batch.column("text")
        )


def test_such_a_model_can_be_measured(model):
    assert measure(model, None, None, 200)["rows"] == 200
