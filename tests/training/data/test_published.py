"""KOTE and GoEmotions are recognized without a header, and their label ids become names."""

import pytest

from emojob.schemas.errors import DataError
from emojob.training.data.corpus import read_corpus


def test_kote_is_recognized_and_its_ids_become_names(written):
    corpus = read_corpus(
        [written("k.tsv", '5\t기다린 보람이 있네\t38,42\n5\t"그는 ""끝""이라 했다"\t5\n7\t오늘 회의\t24\n')]
    )
    assert corpus.texts == ["기다린 보람이 있네", '그는 "끝"이라 했다', "오늘 회의"]
    assert corpus.raw_labels == [("불쌍함/연민", "기쁨"), ("슬픔",), ("없음",)]
    assert (corpus.files[0].kind, corpus.files[0].rows) == ("kote", 3)


def test_goemotions_is_recognized_with_and_without_further_columns(written):
    corpus = read_corpus([written("g.tsv", '이건 "정말 좋다\t17,20\tabc1\n그냥 그래\t27\tabc2\n')])
    assert corpus.texts == ['이건 "정말 좋다', "그냥 그래"]
    assert corpus.raw_labels == [("joy", "optimism"), ("neutral",)]
    assert corpus.files[0].kind == "goemotions"
    assert read_corpus([written("g2.tsv", "그냥 그래\t27\n")]).raw_labels == [("neutral",)]


def test_a_row_without_label_ids_is_rejected(written):
    corpus = read_corpus([written("g.tsv", "그냥 그래\t27\n아무 말\tjoy\n빈칸\t\n하나뿐\n")])
    assert corpus.texts == ["그냥 그래"]
    assert (corpus.files[0].rows, corpus.files[0].rejected) == (4, 3)


def test_unknown_label_ids_are_refused_with_counts(written):
    with pytest.raises(DataError, match=r"44 \(2\), 99 \(1\); the ids of kote are 0 to 43"):
        read_corpus([written("k.tsv", "1\t가\t44\n2\t나\t44,3\n3\t다\t99\n")])


def test_numbers_that_may_be_the_users_own_are_refused(written):
    with pytest.raises(DataError, match="its labels are only numbers"):
        read_corpus([written("own.tsv", "너무 좋아\t1\n너무 싫어\t0\n")])
