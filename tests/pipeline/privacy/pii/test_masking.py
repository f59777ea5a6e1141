"""Masking finds personal data and nothing else, and each text is masked independently of its neighbours."""

import datetime
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emojob.pipeline.privacy.pii import check_digits
from emojob.pipeline.privacy.pii.masking import find, mask, mask_texts
from emojob.schemas.pii import KINDS
from tests.examples import examples

HERE = Path(__file__).parent


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def covered(text: str, piece: str, found: list[tuple[str, str]]) -> set[str]:
    """Return the kinds found at a piece; none unless they cover all of it."""
    at, kinds, seen = text.index(piece), set(), set()
    begin = 0
    for kind, word in found:
        begin = text.index(word, begin)
        positions = set(range(begin, begin + len(word)))
        if positions & set(range(at, at + len(piece))):
            kinds.add(kind)
            seen |= positions
        begin += len(word)
    whole = all(i in seen for i in range(at, at + len(piece)) if text[i].strip())
    return kinds if whole else set()


def test_personal_data_is_found_with_its_kind():
    wanted, found = Counter(), Counter()
    missed = []
    for line in lines("positive.jsonl"):
        pieces = find(line["text"])
        for kind, piece in line["found"]:
            wanted[kind] += 1
            if covered(line["text"], piece, pieces) == {kind}:
                found[kind] += 1
            else:
                missed.append((piece, line["text"], pieces))
    assert set(wanted) == set(KINDS)
    assert sum(wanted.values()) >= 400
    for kind in KINDS:
        assert found[kind] / wanted[kind] >= 0.98, missed
    assert sum(found.values()) / sum(wanted.values()) >= 0.99, missed


def test_other_texts_are_left_alone():
    texts = [line["text"] for line in lines("negative.jsonl")]
    assert len(texts) >= 400
    wrong = [(text, find(text)) for text, masked in zip(texts, mask_texts(texts), strict=True) if text != masked]
    assert len(wrong) <= len(texts) / 200, wrong


def test_a_masked_text_has_nothing_left_to_mask():
    texts = [line["text"] for line in lines("positive.jsonl")]
    masked = mask_texts(texts)
    assert mask_texts(masked) == masked


def test_a_text_is_masked_the_same_alone_and_among_others():
    texts = [line["text"] for name in ("positive.jsonl", "negative.jsonl") for line in lines(name)]
    together = mask_texts(texts * 3)
    assert together == together[: len(texts)] * 3
    assert together[: len(texts) : 7] == [mask_texts([text])[0] for text in texts[::7]]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("010-1234-5678로 연락 주세요", "[전화번호]로 연락 주세요"),
        ("제 번호는０１０－１２３４－５６７８이에요", "제 번호는[전화번호]이에요"),
        ("공일공에 일이삼사에 오육칠팔이요", "[전화번호]이요"),
        ("+82 (0)10-1234-5678\n둘째 줄 02)123-4567", "[전화번호]\n둘째 줄 [전화번호]"),
        ("010\u200b-1234-\u200b5678", "[전화번호]"),
        ("900101-1234568, 900101-1234567", "[주민등록번호], 900101-1234567"),
        ("주민번호는 900101-1234567", "주민번호는 [주민등록번호]"),
        ("900101-1******", "[주민등록번호]******"),
        (
            "카드는 4111 1111 1111 1111이고 4111 1111 1111 1112는 아니에요",
            "카드는 [카드번호]이고 4111 1111 1111 1112는 아니에요",
        ),
        ("Hong.Gil@Example.co.kr으로", "[이메일]으로"),
        ("여기 https://user:pw@host.kr/a?b=1을 보세요", "여기 [URL]을 보세요"),
        ("https://host.kr/a?b=1을 보세요", "https://host.kr/a?b=1을 보세요"),
        ("서울 강남구 테헤란로 123, 101동 1203호로", "[주소]로"),
        ("버스로 30분, 서울 강남구 3번 출구", "버스로 30분, 서울 강남구 3번 출구"),
        ("주문번호 01012345678", "주문번호 01012345678"),
        ("1-010-1234-5678-9", "1-010-1234-5678-9"),
        ("😀010-1234-5678😀", "😀[전화번호]😀"),
    ],
)
def test_examples(text, masked):
    assert mask_texts([text]) == [masked]


def test_decomposed_hangul_is_composed_first():
    decomposed = "국민은행 123456-01-123456으로"
    import unicodedata

    assert mask_texts([unicodedata.normalize("NFD", decomposed)]) == ["국민은행 [계좌번호]으로"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_nulls_and_the_type_of_a_column_are_kept(kind):
    texts = pa.array(["네", None, "010-1234-5678", ""], pa.string()).cast(kind)
    masked = mask(texts)
    assert masked.type == kind
    assert masked.to_pylist() == ["네", None, "[전화번호]", ""]
    assert mask(texts[:2]).to_pylist() == ["네", None]
    assert mask(texts[:0]).to_pylist() == []


WORDS = ["국민은행", "서울", "강남구", "주민번호", "면허", "://", "골뱅이", "😀", "\x00", "\u200b"]
WORDS += [*"0123456789０１-–. ()+@:/\n\t,_에로길동시구공일이삼사오M"]
CHARS = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)


@examples(40)
@given(st.lists(CHARS | st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=12))
@example(["010-1234-5678", "", "\n", "1"])
@example(["0", "10-1234-5678"])
def test_texts_are_masked_independently_and_other_texts_stay(texts):
    masked = mask_texts(texts)
    assert masked == [mask_texts([text])[0] for text in texts]
    for text, result in zip(texts, masked, strict=True):
        if not find(text):
            assert result == text


def test_a_long_run_of_digits_takes_linear_time():
    text = "1-" * 200_000 + "0" * 200_000 + " 010-1234-5678"
    assert mask_texts([text])[0].endswith(" [전화번호]")
    assert np.isclose(len(mask_texts([text])[0]), len(text) - 13 + len("[전화번호]"))


@pytest.mark.parametrize("year", [1970, 2000, 2010, 2026, 2062, 2150])
def test_a_wrong_clock_hides_no_personal_data(monkeypatch, year):
    class Clock(datetime.date):
        @classmethod
        def today(cls):
            return cls(year, 1, 1)

    monkeypatch.setattr(check_digits.datetime, "date", Clock)
    assert mask_texts(["201231-3123456 은 제 번호", "900101-1234568"]) == [
        "[주민등록번호] 은 제 번호",
        "[주민등록번호]",
    ]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("예금주 박길동 110-234-567890", "예금주 박길동 [계좌번호]"),
        ("3333-01-1234567 예금주는 저예요", "[계좌번호] 예금주는 저예요"),
        ("합정동 110-23 입니다", "[주소] 입니다"),
        ("박길동 110-234-567890", "박길동 110-234-567890"),
    ],
)
def test_the_name_of_a_holder_is_not_taken_for_a_neighbourhood(text, masked):
    assert mask_texts([text]) == [masked]
