"""Splits have no text in two parts, keep fractions and conversations, and equal the notebook's 80/20."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojob.schemas.errors import OptionError
from emojob.training.data.annotated import Annotated, AnnotatedCounts, text_key
from emojob.training.data.splits import Split, split


def annotated(
    labels: list[int],
    texts: list[str] | None = None,
    conversations: list[str | None] | None = None,
    previous: list[str | None] | None = None,
):
    rows = len(labels)
    texts = texts or [f"말 {row}" for row in range(rows)]
    names = tuple("abcdefgh"[: max(labels, default=0) + 1])
    counts = AnnotatedCounts(rows, 0, 0, 0, 0, 0, 0, rows)
    nothing = [None] * rows
    return Annotated(texts, previous or nothing, conversations or nothing, np.array(labels, np.int64), names, counts)


def parts(found: Split) -> list[list[int]]:
    return [part.tolist() for part in (found.train, found.validation, found.test)]


# made with scikit-learn 1.9.1: train_test_split(range(rows), test_size=0.2, random_state=4)
SKLEARN = {
    10: ([4, 9, 2, 6, 0, 1, 5, 7], [3, 8]),
    23: ([10, 6, 11, 2, 4, 18, 17, 15, 16, 22, 13, 7, 9, 19, 8, 1, 5, 14], [21, 20, 0, 3, 12]),
}


@pytest.mark.parametrize("rows", SKLEARN)
def test_plain_equals_the_split_of_the_notebook(rows):
    found = split(annotated([0] * rows), 0.2, 0.0, 4, "plain")
    assert (found.train.tolist(), found.test.tolist()) == SKLEARN[rows]
    assert (found.validation.tolist(), found.dropped) == ([], 0)


def test_plain_draws_validation_next():
    found = split(annotated([0] * 10), 0.2, 0.3, 4, "plain")
    assert parts(found) == [[6, 0, 1, 5, 7], [4, 9, 2], [3, 8]]


def test_stratified_keeps_the_fraction_of_each_label():
    labels = [0] * 100 + [1] * 50 + [2] * 11 + [3]
    found = split(annotated(labels), 0.2, 0.1, 0, "stratified")
    of = [np.bincount(np.array(labels)[part], minlength=4).tolist() for part in parts(found)]
    assert of == [[70, 35, 8, 1], [10, 5, 1, 0], [20, 10, 2, 0]]


def test_only_the_same_seed_gives_the_same_parts():
    data = annotated([0, 1] * 50)
    first, same, other = (parts(split(data, 0.2, 0.2, seed, "stratified")) for seed in (1, 1, 2))
    assert first == same != other


def test_conversations_stay_whole_and_labels_keep_their_fraction():
    conversations = [f"c{row // 5}" for row in range(1000)]
    labels = [row // 5 % 4 for row in range(1000)]
    found = split(annotated(labels, conversations=conversations), 0.2, 0.1, 3, "stratified")
    seen = [{conversations[row] for row in part} for part in parts(found)]
    assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]
    assert [len(part) for part in parts(found)] == [700, 100, 200]
    assert np.bincount(np.array(labels)[found.test]).tolist() == [50] * 4


def test_few_large_conversations_still_make_a_test_part():
    labels = [row // 20 for row in range(100)]  # each of five conversations has its own label
    found = split(annotated(labels, conversations=[f"c{label}" for label in labels]), 0.2, 0.0, 3, "stratified")
    assert (len(found.train), len(found.test)) == (100, 0)  # each label must have texts in train
    found = split(annotated([0] * 100, conversations=[f"c{label}" for label in labels]), 0.2, 0.0, 3, "stratified")
    assert (len(found.train), len(found.test)) == (80, 20)


def test_a_text_in_several_conversations_is_dropped_from_train():
    texts = ["네 ", "오늘 봤어", "네", "내일 봐", "  네", "어제 왔어"] * 10
    texts = [text if "네" in text else f"{text} {row}" for row, text in enumerate(texts)]
    data = annotated([0, 0] * 30, texts, [f"c{row // 2}" for row in range(60)])
    found = split(data, 0.3, 0.0, 0, "stratified")
    assert found.dropped == 60 - len(found.train) - len(found.test) > 0
    assert not {text_key(texts[row]) for row in found.train} & {text_key(texts[row]) for row in found.test}


def test_each_label_keeps_a_text_in_train_even_if_it_is_in_test_too():
    texts = ["네", *[f"말 {row}" for row in range(9)], "네", *[f"글 {row}" for row in range(9)]]
    data = annotated([1, *[0] * 9, 1, *[0] * 9], texts, [f"c{row}" for row in range(20)])
    for seed in range(20):
        found = split(data, 0.5, 0.0, seed, "stratified")
        assert 1 in data.labels[found.train]
        assert not {texts[row] for row in found.train} & {texts[row] for row in found.test}


@pytest.mark.parametrize("how", ["hash", "stratified", "plain"])
def test_a_text_after_another_utterance_is_another_text(how):
    replies = ["네", "아니요", "글쎄요"]
    texts = [replies[row % 3] for row in range(900)]
    data = annotated([row % 2 for row in range(900)], texts, [f"c{row // 2}" for row in range(900)],
                     [f"질문 {row}" for row in range(900)])  # fmt: skip
    found = split(data, 0.1, 0.1, 4, how)
    assert found.dropped == 0
    assert {texts[row] for row in found.train} == set(replies)
    same = annotated([0] * 60, ["네"] * 60, [f"c{row}" for row in range(60)], ["밥 먹었어?"] * 60)
    found = split(same, 0.3, 0.0, 4, how)
    assert not (len(found.train) and len(found.test))  # the same reply to the same question is one text


def splits_of(found: Split, keys: list[object]) -> dict[object, int]:
    return {keys[row]: number for number, part in enumerate(parts(found)) for row in part}


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), st.sampled_from(["texts", "conversations", "pairs"])
)
def test_added_data_moves_no_text_to_another_split(seed, random, kind):
    keys = [(row, random.randrange(6), f"c{random.randrange(200)}") for row in range(600)]  # text, label, conversation

    def data(rows):
        return annotated(
            [label for _, label, _ in rows],
            [f"말 {text}" for text, _, _ in rows],
            [conversation for _, _, conversation in rows] if kind == "conversations" else None,
            [f"앞 {text}" for text, _, _ in rows] if kind == "pairs" else None,
        )

    fewer = keys[random.randrange(200):400]  # fmt: skip
    more = random.sample(keys, len(keys))
    before = splits_of(split(data(fewer), 0.1, 0.1, seed, "hash"), fewer)
    after = splits_of(split(data(more), 0.1, 0.1, seed, "hash"), more)
    assert before == {key: after[key] for key in before}
    without_test = splits_of(split(data(more), 0.0, 0.1, seed, "hash"), more)
    assert {key for key in more if after[key] == 1} == {key for key in more if without_test[key] == 1}


def test_hash_keeps_the_fractions_about():
    labels = [row % 4 for row in range(8000)]
    found = split(annotated(labels), 0.2, 0.1, 4, "hash")
    of = [np.bincount(np.array(labels)[part], minlength=4) for part in parts(found)]
    assert (np.abs(of[1] - 200) < 60).all()
    assert (np.abs(of[2] - 400) < 80).all()
    assert parts(found) != parts(split(annotated(labels), 0.2, 0.1, 5, "hash"))


def test_hash_leaves_no_wanted_split_empty():
    for rows in range(8, 20):
        for seed in range(20):
            found = split(annotated([0] * rows), 0.1, 0.1, seed, "hash")
            assert all(map(len, parts(found)))


@pytest.mark.parametrize(
    ("test", "validation", "seed", "how", "complaint"),
    [
        (1.0, 0.0, 0, "plain", "are not valid fractions"),
        (0.6, 0.4, 0, "plain", "are not valid fractions"),
        (-0.1, 0.0, 0, "plain", "are not valid fractions"),
        (float("nan"), 0.0, 0, "plain", "are not valid fractions"),
        (0.2, 0.0, -1, "plain", "seed -1"),
        (0.2, 0.0, 0, "random", "'random' is unknown"),
    ],
)
def test_invalid_arguments_are_refused(test, validation, seed, how, complaint):
    with pytest.raises(OptionError, match=complaint):
        split(annotated([0, 1]), test, validation, seed, how)


@pytest.mark.parametrize("how", ["hash", "stratified", "plain"])
def test_no_text_and_one_text_can_be_split(how):
    assert parts(split(annotated([]), 0.2, 0.1, 0, how)) == [[], [], []]
    assert sum(map(len, parts(split(annotated([0]), 0.2, 0.1, 0, how)))) == 1


FRACTIONS = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45))
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 40), st.one_of(st.none(), st.integers(0, 12))), min_size=1, max_size=80
)


@settings(deadline=None)
@given(ROWS, FRACTIONS, st.integers(0, 2**32 - 1), st.sampled_from(["hash", "stratified", "plain"]))
def test_no_text_is_in_two_parts_and_every_row_is_counted(rows, fractions, seed, how):
    texts = [f"{' ' * (row % 2)}말  {text}" for row, (_, text, _) in enumerate(rows)]
    conversations = [None if one is None else str(one) for _, _, one in rows]
    found = split(annotated([label for label, _, _ in rows], texts, conversations), *fractions, seed, how)
    placed = [row for part in parts(found) for row in part]
    assert len(set(placed)) == len(placed) == len(rows) - found.dropped
    train, validation, test = ({text_key(texts[row]) for row in part} for part in parts(found))
    assert not train & validation | train & test | validation & test


@settings(deadline=None)
@given(ROWS, FRACTIONS, st.integers(0, 2**32 - 1), st.sampled_from(["hash", "stratified"]))
def test_conversations_stay_whole_and_each_label_is_in_train(rows, fractions, seed, how):
    conversations = [None if one is None else str(one) for _, _, one in rows]
    texts = [f"말 {text}" for _, text, _ in rows]
    data = annotated([label for label, _, _ in rows], texts, conversations)
    found = split(data, *fractions, seed, how)
    sides = [{conversations[row] for row in part} - {None} for part in parts(found)]
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    learned = set(data.labels[found.train].tolist())
    for label in set(data.labels.tolist()):
        if len({texts[row] for row in np.flatnonzero(data.labels == label)}) > 1:
            assert label in learned


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), FRACTIONS, st.integers(0, 2**32 - 1))
def test_labels_with_many_texts_keep_their_fraction_within_one_text(labels, fractions, seed):
    found = split(annotated(labels), *fractions, seed, "stratified")
    assert found.dropped == 0
    for fraction, part in zip(fractions, (found.test, found.validation), strict=True):
        for label, texts in enumerate(np.bincount(labels)):
            wanted = texts * fraction
            in_part = int((np.array(labels)[part] == label).sum())
            assert in_part <= np.floor(wanted) + 1
            if texts >= 10:  # with fewer texts, one has to stay in train
                assert in_part >= np.floor(wanted)
