"""KoBERT's SentencePiece model comes back from the files that transformers and gluonnlp keep instead."""

import json
import random
import shutil
import struct

import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from emojob.pipeline.models import model, sentencepiece_file
from emojob.pipeline.models.hf_tokenizer import write_tokenizer
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.models.model_folder import read_tokenizer
from emojob.pipeline.models.sentencepiece_file import _field, _parts
from emojob.schemas.errors import ModelError

TEXTS = [
    "오늘 하루도 정말 수고 많으셨어요.", "1,000원이 아니라 10, 20, 30원", "[SEP] 라고 했어",
    "ㅋㅋㅋ ㅏㅏ 뷁 ＡＢＣ", "", "``네''",
]  # fmt: skip


@pytest.fixture
def spiece(golden):
    return golden / "spiece.model"


@pytest.fixture
def gluonnlp(spiece, tmp_path, golden_pieces):
    """The two files of the gluonnlp era: pieces in another order and without special tokens, and the vocabulary."""
    scores, _, normalizer = _parts(spiece.read_bytes())
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), *((piece, scores[piece], 1) for piece in scores)]
    random.Random(0).shuffle(pieces)
    content = b""
    for piece, score, kind in pieces:
        body = _field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
        content += _field(1, body)
    file = tmp_path / "tokenizer_78b3253a26.model"
    file.write_bytes(content + _field(2, b"") + _field(3, normalizer))
    (tmp_path / "vocab.txt").write_text("\n".join(golden_pieces) + "\n", encoding="utf-8")
    return file


def test_a_folder_that_transformers_saved_again_gives_the_same_ids_and_labels(tiny_model, spiece, tmp_path):
    (tmp_path / "ours").mkdir()
    write_tokenizer(KoBertTokenizer(spiece), tmp_path / "ours", 512)
    AutoTokenizer.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "again")
    AutoModelForSequenceClassification.from_pretrained(tiny_model).save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again" / "spiece.model").exists()
    loaded = model.load(str(tmp_path / "again"))
    assert loaded.tokenizer.encode(TEXTS).tolist() == KoBertTokenizer(spiece).encode(TEXTS).tolist()
    assert loaded.labels == model.load(str(tiny_model)).labels


def test_the_ids_of_the_gluonnlp_era_come_from_the_vocabulary(gluonnlp, spiece):
    tokenizer = KoBertTokenizer(gluonnlp)
    assert tokenizer.encode(TEXTS).tolist() == KoBertTokenizer(spiece).encode(TEXTS).tolist()
    assert [file.name for file in tokenizer.files] == [gluonnlp.name, "vocab.txt"]


def test_the_vocabulary_may_be_the_json_of_gluonnlp(gluonnlp, spiece, golden_pieces):
    (gluonnlp.parent / "vocab.txt").unlink()
    content = json.dumps({"idx_to_token": golden_pieces, "unknown_token": "[UNK]"})
    (gluonnlp.parent / "kobertvocab_f38b8a4d6d.json").write_text(content)
    assert KoBertTokenizer(gluonnlp).encode(TEXTS).tolist() == KoBertTokenizer(spiece).encode(TEXTS).tolist()


def test_the_folder_of_the_gluonnlp_era_is_not_read_as_wordpiece(gluonnlp, spiece):
    found = read_tokenizer(gluonnlp.parent, "m")
    assert found.encode(TEXTS).tolist() == KoBertTokenizer(spiece).encode(TEXTS).tolist()


def test_a_saved_model_has_one_file_for_all(gluonnlp, spiece, tmp_path):
    (tmp_path / "out").mkdir()
    write_tokenizer(KoBertTokenizer(gluonnlp), tmp_path / "out", 512)
    saved = KoBertTokenizer(tmp_path / "out" / "spiece.model")
    assert saved.encode(TEXTS).tolist() == KoBertTokenizer(spiece).encode(TEXTS).tolist()


def test_a_model_without_special_tokens_needs_its_vocabulary(gluonnlp):
    (gluonnlp.parent / "vocab.txt").unlink()
    with pytest.raises(ModelError, match=r"vocab\.txt"):
        read_tokenizer(gluonnlp.parent, "m")


def test_a_vocabulary_of_another_model_is_refused(gluonnlp):
    file = gluonnlp.parent / "vocab.txt"
    file.write_text(file.read_text(encoding="utf-8").replace("오늘", "모레"), encoding="utf-8")
    with pytest.raises(ModelError, match="of different models"):
        read_tokenizer(gluonnlp.parent, "m")


def test_a_unigram_tokenizer_with_another_normalizer_is_refused(spiece, tmp_path):
    write_tokenizer(KoBertTokenizer(spiece), tmp_path, 512)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["normalizer"]["normalizers"][4]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match="with other rules"):
        sentencepiece_file.from_tokenizer_json(file)


def test_a_damaged_model_is_refused(gluonnlp, spiece):
    gluonnlp.write_bytes(spiece.read_bytes()[:1001])
    with pytest.raises(ModelError, match="cannot be used"):
        read_tokenizer(gluonnlp.parent, "m")
    shutil.copy(spiece.with_name("spiece_digits.model"), gluonnlp)
    assert read_tokenizer(gluonnlp.parent, "m").vocab_size == 88
