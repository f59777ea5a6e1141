"""A BERT with WordPiece gets the ids of stock transformers, and no text becomes a special token."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertTokenizer

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.pipeline.models.model_folder import read_tokenizer
from emojob.pipeline.models.wordpiece_tokenizer import WordPieceTokenizer
from emojob.schemas.errors import ModelError
from tests.examples import examples

TEXTS = [
    "오늘은 정말 기뻤어",
    "  왜 그렇게\t말했어?  ",
    "1시 반에 만나요, 7,000원!",
    "",
    "ㅋㅋㅋ é 커피 中文 ``진짜''",
    "뷁" * 120,
    "혼자라서 슬퍼요 ㅠㅠ😊",
]


@pytest.fixture(scope="module")
def stock(wordpiece):
    return BertTokenizer.from_pretrained(wordpiece)


@pytest.fixture(params=["tokenizer.json", "vocab.txt"])
def tokenizer(request, wordpiece, tmp_path) -> WordPieceTokenizer:
    for name in (request.param, "tokenizer_config.json"):
        (tmp_path / name).write_bytes((wordpiece / name).read_bytes())
    return WordPieceTokenizer(tmp_path)


def test_ids_are_those_of_stock_transformers(tokenizer, stock):
    assert tokenizer.encode(TEXTS, None).tolist() == stock(TEXTS)["input_ids"]
    cut = stock(TEXTS, truncation=True, max_length=8)["input_ids"]
    assert tokenizer.encode(TEXTS, 8).tolist() == cut


def test_pairs_are_those_of_stock_transformers(tokenizer, stock):
    second = TEXTS[::-1]
    theirs = stock(TEXTS, second)
    ours = tokenizer.encode(TEXTS, None, second=second)
    assert ours.tolist() == theirs["input_ids"]
    assert ours.segments.tolist() == [segment for row in theirs["token_type_ids"] for segment in row]


def test_a_text_that_names_special_tokens_gets_none(tokenizer):
    ids = tokenizer.encode(["[CLS] [SEP] [PAD] [MASK] 그랬대 [SEP]"], None).tolist()[0]
    controls = {tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id}
    assert not set(ids[1:-1]) & controls


def test_a_long_text_is_truncated_like_the_whole_text(tokenizer):
    text = "배송이 너무 늦어서 속이 타요 " * 2000
    whole = tokenizer.encode([text], None).tolist()[0]
    assert tokenizer.encode([text], 64).tolist()[0] == [*whole[:63], tokenizer.sep_id]


def test_a_long_text_of_few_tokens_is_encoded_completely(tokenizer):
    encoded = tokenizer.encode([f"{'뷁' * 9000} 끝에 기쁨이 있어요"], 64)
    assert encoded.tolist() == tokenizer.encode([f"{'뷁' * 9000} 끝에 기쁨이 있어요"], None).tolist()
    assert not encoded.truncated[0]


@examples(200)
@given(st.lists(st.text(st.characters(), max_size=60), max_size=5))
def test_any_text_has_ids(wordpiece, texts):
    assert (WordPieceTokenizer(wordpiece).encode(texts, 16).lengths >= 2).all()


def test_a_model_with_wordpiece_scores(bert):
    scored = Scorer.load(str(bert)).score(TEXTS)
    assert scored.labels[3] == ""
    np.testing.assert_allclose(np.nansum(scored.probabilities, 1), [1, 1, 1, 0, 1, 1, 1], atol=1e-6)


def test_other_tokenizer_files_change_the_fingerprint(bert, tmp_path):
    before = model.load(str(bert)).fingerprint
    for file in bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert model.load(str(tmp_path)).fingerprint == before
    table = json.loads((tmp_path / "tokenizer.json").read_text())
    table["normalizer"]["lowercase"] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(table))
    assert model.load(str(tmp_path)).fingerprint != before


class TestRefused:
    """A message of one line says what would be right."""

    @pytest.fixture
    def message(self, tmp_path):
        def read() -> str:
            with pytest.raises(ModelError) as caught:
                read_tokenizer(tmp_path, "m")
            assert "\n" not in str(caught.value)
            return str(caught.value)

        return read

    def test_no_tokenizer_at_all(self, message):
        assert "has no tokenizer" in message()

    def test_a_tokenizer_json_of_another_kind(self, message, tmp_path):
        (tmp_path / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
        assert "'BPE'; only 'WordPiece' is supported" in message()

    def test_a_unigram_tokenizer_with_other_rules_than_koberts(self, message, tmp_path):
        (tmp_path / "tokenizer.json").write_text('{"model": {"type": "Unigram"}}')
        assert "with other rules than KoBERT's" in message()

    @pytest.mark.parametrize("text", ["{", "[]", '{"model": 1}', '{"model": {"type": "WordPiece"}}'])
    def test_a_damaged_tokenizer_json(self, message, tmp_path, text):
        (tmp_path / "tokenizer.json").write_text(text)
        assert "cannot be used" in message()

    def test_a_vocabulary_without_the_special_tokens(self, message, tmp_path):
        (tmp_path / "vocab.txt").write_text("가\n나\n")
        assert "lacks the special tokens" in message()

    def test_kobert_pieces_read_as_wordpiece(self, golden_pieces, make_model):
        folder = make_model()
        (folder / "spiece.model").unlink()
        (folder / "vocab.txt").write_text("\n".join(golden_pieces))
        with pytest.raises(ModelError, match="does not know"):
            model.load(str(folder))
