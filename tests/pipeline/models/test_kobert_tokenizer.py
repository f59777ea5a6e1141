"""The tokenizer gives KoBERT's ids with and without its fast path, and accepts any text."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.models import kobert_tokenizer as module
from emojob.pipeline.models import tokenizer as base_module
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer, clean
from tests.examples import examples

GOLDEN = Path(__file__).parent / "golden"
ONE = KoBertTokenizer(GOLDEN / "spiece.model", threads=1)
RECORDS = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tokenizer() -> KoBertTokenizer:
    return KoBertTokenizer(GOLDEN / "spiece.model")


@pytest.fixture(scope="module")
def digits() -> KoBertTokenizer:
    return KoBertTokenizer(GOLDEN / "spiece_digits.model")


@pytest.mark.parametrize(("key", "max_length"), [("ids", None), ("ids_64", 64)])
def test_single_texts_get_the_original_ids(tokenizer, key, max_length):
    encoded = tokenizer.encode([one["text"] for one in RECORDS["single"]], max_length)
    assert encoded.tolist() == [one[key] for one in RECORDS["single"]]


@pytest.mark.parametrize(("key", "max_length"), [("", None), ("_64_longest_first", 64)])
def test_pairs_get_the_original_ids_and_segments(tokenizer, key, max_length):
    pairs = RECORDS["pairs"]
    encoded = tokenizer.encode([p["first"] for p in pairs], max_length, second=[p["second"] for p in pairs])
    assert encoded.tolist() == [p[f"ids{key}"] for p in pairs]
    segments = [row.tolist() for row in np.split(encoded.segments, encoded.offsets[1:-1])]
    assert segments == [p[f"token_type_ids{key}"] for p in pairs]


def test_a_comma_after_a_digit_is_its_own_piece(digits):
    encoded = digits.encode([one["text"] for one in RECORDS["digits_comma"]], None)
    assert encoded.tolist() == [one["ids"] for one in RECORDS["digits_comma"]]


def test_many_texts_get_the_same_ids_as_single_texts(tokenizer, monkeypatch):
    texts = [one["text"] for one in RECORDS["single"]]
    monkeypatch.setattr(base_module, "_SLICE", 7)
    assert tokenizer.encode(texts, 64).tolist() == [one["ids_64"] for one in RECORDS["single"]]


def test_special_ids_are_koberts(tokenizer):
    ids = (tokenizer.unk_id, tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id)
    assert ids == (0, 1, 2, 3, 4)


def test_a_text_that_names_special_tokens_gets_none(tokenizer, digits):
    for one in (tokenizer, digits):
        ids = one.encode(["[CLS] [SEP] [PAD] [MASK] 1, [SEP],"], None).tolist()[0]
        assert not set(ids[1:-1]) & {1, 2, 3, 4}


def test_arrow_columns_lists_and_nulls_give_the_same_ids(tokenizer):
    texts = ["반가워요", None, "", "또 만나요"]
    expected = tokenizer.encode(["반가워요", "", "", "또 만나요"]).tolist()
    assert tokenizer.encode(texts).tolist() == expected
    assert tokenizer.encode(pa.array(texts, pa.large_string())).tolist() == expected
    assert tokenizer.encode(pa.chunked_array([texts[:1], texts[1:]])).tolist() == expected
    assert tokenizer.encode([]).tolist() == []


def test_a_long_text_is_truncated_like_the_whole_text(tokenizer):
    text = "배송이 너무 늦어서 속이 타요 " * 2000
    whole = tokenizer.encode([text], None).tolist()[0]
    short = tokenizer.encode([text], 64)
    assert short.tolist()[0] == [*whole[:63], tokenizer.sep_id]
    assert short.truncated.tolist() == [True]


def test_a_long_text_of_few_tokens_is_encoded_completely(tokenizer):
    unknown = "\u4e00" * 5000  # a run of unknown characters is one [UNK]
    text = f"{unknown} 끝에 기쁨이 있어요"
    encoded = tokenizer.encode([text], 64)
    assert not encoded.truncated[0]
    assert encoded.tolist() == tokenizer.encode([text], None).tolist()


def test_truncated_marks_the_texts_that_were_cut(tokenizer):
    encoded = tokenizer.encode(["네", "아주 긴 말을 끝없이 이어서 해 보려고 합니다"], 6)
    assert encoded.truncated.tolist() == [False, True]
    assert encoded.lengths.tolist() == [3, 6]


def test_a_model_without_koberts_special_tokens_is_refused(tmp_path):
    file = tmp_path / "other.model"
    file.write_bytes(b"this is no sentencepiece model")
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        KoBertTokenizer(file)


def test_every_syllable_has_the_same_ids_without_normalization(tokenizer, monkeypatch):
    syllables = [chr(code) for code in range(0xAC00, 0xD7A4)]
    quick = tokenizer.encode(syllables, None).ids
    monkeypatch.setattr(module, "_NEEDS_CLEANING", module.re.compile(""))
    assert np.array_equal(quick, tokenizer.encode(syllables, None).ids)


_CHAT = st.text(
    st.sampled_from("가각갛힣뷁ㄱㅋㅎㄳㅏㅠ1,2'`\" aZ~!?.…ㆍ\u0301\u1100\u1161\u11a8é½\u200b\u3000"), max_size=30
)


@examples(300)
@given(st.lists(_CHAT, max_size=8))
def test_the_fast_path_gives_the_ids_of_the_full_rules(texts):
    slowly = []
    for text in texts:
        folded = " ".join(text.split()).replace("``", '"').replace("''", '"')
        slowly.append("".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c)))
    assert ONE.encode(texts, None).tolist() == [[2, *ids, 3] for ids in ONE._sp.encode(slowly, out_type=int)]


@examples(200)
@given(st.text(max_size=200), st.text(max_size=200), st.integers(3, 40))
def test_any_two_texts_make_a_pair_within_the_limit(first, second, max_length):
    encoded = ONE.encode([first], max_length, second=[second])
    ids = encoded.tolist()[0]
    assert len(ids) <= max_length
    assert (ids[0], ids[-1], ids.count(ONE.sep_id), ids.count(ONE.cls_id)) == (ONE.cls_id, ONE.sep_id, 2, 1)
    assert encoded.segments.tolist() == [0] * (ids.index(ONE.sep_id) + 1) + [1] * (len(ids) - ids.index(ONE.sep_id) - 1)


@examples(200)
@given(st.text(st.characters(), max_size=100))
def test_any_text_has_ids(text):
    assert ONE.encode([text], 64).lengths[0] >= 2
    assert "\ud800" not in clean(text)


_ODD = st.text(st.sampled_from("가힣ㄱㄳㅎㅏㅣa~ \t\n'`\"\u00a0\u200b\ud800😀é,1"), max_size=12)


@given(st.lists(st.one_of(_ODD, st.text(max_size=8)), max_size=20))
def test_rows_to_clean_equals_the_search_text_by_text(texts):
    expected = [row for row, text in enumerate(texts) if module._NEEDS_CLEANING.search(text)]
    assert module.rows_to_clean(texts) == expected
