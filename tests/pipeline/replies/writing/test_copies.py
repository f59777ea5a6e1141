"""Text that a draft copies from training answers is found, and the index stores no text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.replies.writing.copies import CopyIndex, longest_copied
from emojob.schemas.errors import DataError

WORDS = [f"낱말{number}" for number in range(60)]
ANSWER = " ".join(WORDS[:40])


def test_more_than_20_words_in_a_row_are_a_copy():
    index = CopyIndex.of([ANSWER, "짧은 답이에요."])
    assert longest_copied(ANSWER, index) == 40
    assert longest_copied(" ".join(["그런데", *WORDS[5:26], "네요"]), index) == 21
    assert longest_copied(" ".join(["그런데", *WORDS[5:25], "네요"]), index) == 0  # 20 words
    assert longest_copied("짧은 답이에요.", index) == 0
    assert longest_copied("", index) == 0
    assert longest_copied(ANSWER, CopyIndex.of([])) == 0


def test_white_space_does_not_matter_but_order_does():
    index = CopyIndex.of([ANSWER])
    assert longest_copied(ANSWER.replace(" ", " \n  "), index) == 40
    assert longest_copied(" ".join(reversed(WORDS[:40])), index) == 0
    assert longest_copied(" ".join([*WORDS[1:31:2], *WORDS[0:30:2]]), index) == 0


@given(st.lists(st.sampled_from("가나"), max_size=60), st.lists(st.sampled_from("가나"), max_size=60))
def test_the_length_is_that_of_a_plain_search(words, draft):
    index = CopyIndex.of([" ".join(words)])
    # a run of known windows, which may come from several places of the answer
    known = {tuple(words[start : start + 21]) for start in range(len(words) - 20)}
    longest = run = 0
    for start in range(len(draft) - 20):
        run = run + 1 if tuple(draft[start : start + 21]) in known else 0
        longest = max(longest, run)
    assert index.longest_copied(" ".join(draft)) == (longest + 20 if longest else 0)


def test_a_saved_index_finds_the_same_and_stores_no_text(tmp_path):
    index = CopyIndex.of([ANSWER, " ".join(WORDS[20:])])
    index.save(tmp_path / "copies.npy")
    content = (tmp_path / "copies.npy").read_bytes()
    assert "낱말".encode() not in content
    assert len(content) < 128 + 8 * 61
    read = CopyIndex.load(tmp_path / "copies.npy")
    assert np.array_equal(read.windows, index.windows)
    assert longest_copied(ANSWER, read) == 40


def test_a_damaged_index_is_one_line(tmp_path):
    file = tmp_path / "copies.npy"
    for content in (b"", b"no numpy file", b"\x93NUMPY\x01\x00"):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"copies.npy is damaged, because it cannot be read"):
            CopyIndex.load(file)
    np.save(file, np.array(["text"]))
    with pytest.raises(DataError, match="cannot be read"):
        CopyIndex.load(file)
    with pytest.raises(DataError, match="cannot be read"):
        CopyIndex.load(tmp_path / "missing.npy")
