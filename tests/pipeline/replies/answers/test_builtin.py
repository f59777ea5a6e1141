"""The built-in answer book: it is complete, and an agent can send each of its answers without a change."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.privacy.pii.masking import mask
from emojob.pipeline.replies.answers import builtin
from emojob.pipeline.replies.answers.book import read_book, write_book
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.checks import check_drafts
from emojob.pipeline.replies.words import CALM, TONES
from emojob.pipeline.rules.crisis import speaks_of_crisis

FILES = sorted((Path(builtin.__file__).parent / "builtin").glob("*.toml"))
SITUATIONS = [one for file in FILES for one in tomllib.loads(file.read_text(encoding="utf-8"))["situation"]]
BOOK = read_builtin_book()

#: What a bot cannot know: amounts, dates and times, and that a wish will be met.
PROMISES = re.compile(
    r"[0-9]+ ?(원|일|주|개월|시간|%)|(오늘|내일|모레|이번 주) ?(안에|중|까지)|전액|무료|반드시|보상해"
)

#: Situations about which one may be glad. In every other one, a text whose emotion was misread can be a complaint.
GLAD = re.compile(
    r"기쁨/|일상/|인사/|대답/|챗봇/|표현/|고객/(칭찬|감사|만족|안도|응원|경사|사과)|선물/|마음/생일|상담/외국어"
)

#: What sounds glad, or thanks for kind words.
GLADNESS = re.compile(
    r"축하|신나|신이 납|기쁘|기뻐|설레|설렘|두근|즐거운 |최고|멋지|멋져|웃으며|웃음|반가"
    r"|다정하게|정중|너그럽|느긋|ㅎㅎ|ㅋㅋ"
)

#: Advice at the end of an answer.
ADVICE = re.compile(
    r"(보세요|두세요|챙기세요|좋습니다|좋겠습니다|방법입니다|방법이에요|권해요|권합니다|바랍니다|볼까요\?|봐요[.!])$"
)
#: Situations in which somebody is not well.
FEELINGS = re.compile(r"(마음|관계|상실|직장|학업|건강|경제|육아|이웃|반려동물)/")


def wrong_answers(pattern: str | re.Pattern[str]) -> list[str]:
    return [answer for answer in BOOK.answers if re.search(pattern, answer)]


def bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text) or text


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation["category"])
def test_a_situation_has_questions_and_answers_in_each_tone(situation):
    assert set(situation) == {"category", "questions", *TONES}
    assert re.fullmatch(r"[가-힣A-Z·]+(/[가-힣A-Z·]+)+", situation["category"])
    assert len(situation["questions"]) >= 10
    assert all(len(situation[tone]) >= 2 for tone in TONES)


def test_the_book_covers_customer_care_and_everyday_feelings():
    assert len(BOOK.groups) >= 225
    assert len(BOOK.questions) >= 4_100
    assert len(BOOK.answers) >= 1_440
    assert {"배송/지연", "환불/요청", "고객/감사", "마음/불안", "마음/우울", "기쁨/일상"} <= set(BOOK.groups)
    assert {"통신/로밍", "금융/오송금", "병원/증상", "게임/제재", "여행/수하물", "공공/과태료"} <= set(BOOK.groups)


def test_a_category_stands_once():
    names = [situation["category"] for situation in SITUATIONS]
    assert len(set(names)) == len(names)
    assert BOOK.groups == tuple(names)


def test_no_question_stands_in_two_places():
    questions = sorted(map(bare, BOOK.questions))
    assert [one for one, two in pairwise(questions) if one == two] == []


def test_no_answer_stands_in_two_places():
    answers = sorted(map(bare, BOOK.answers))
    assert [one for one, two in pairwise(answers) if one == two] == []


def test_an_answer_is_neither_too_short_nor_too_long():
    assert [answer for answer in BOOK.answers if not 10 <= len(answer) <= 160] == []


def test_an_answer_is_polite():
    assert wrong_answers(r"^(?!.*(다|요|죠|까)[.!?]$)") == []


def test_a_calm_answer_does_not_exclaim():
    calm = TONES.index(CALM)
    assert [one for one, tone in zip(BOOK.answers, BOOK.answer_tones, strict=True) if tone == calm and "!" in one] == []


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation["category"])
def test_a_bright_answer_to_a_problem_is_not_glad(situation):
    if not GLAD.match(situation["category"]):
        assert [answer for answer in situation["bright"] if GLADNESS.search(answer)] == []


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation["category"])
def test_an_answer_to_a_feeling_is_not_advice_alone(situation):
    if FEELINGS.match(situation["category"]):
        answers = [answer for tone in TONES for answer in situation[tone]]
        assert [answer for answer in answers if ADVICE.search(answer) and not re.search(r"[.?!] ", answer)] == []


def test_a_calm_answer_to_a_customer_is_formal():
    care = [file for file in FILES if file.name.startswith("customer")]
    calm = [answer for file in care for one in tomllib.loads(file.read_text(encoding="utf-8"))["situation"]
            for answer in one["calm"]]  # fmt: skip
    assert [
        answer for answer in calm if re.search(r"(어요|아요|예요|에요|게요|네요|지요|해요|돼요)[.?!]", answer)
    ] == []


def test_nothing_in_the_book_speaks_of_crisis():
    for texts in (BOOK.questions, BOOK.answers):
        assert [text for text, found in zip(texts, speaks_of_crisis(texts), strict=True) if found] == []


@pytest.mark.slow
def test_every_answer_passes_the_checks_of_drafts():
    checked = check_drafts(BOOK.answers, Scorer.load(threads=1))
    assert [(answer, one.reason) for answer, one in zip(BOOK.answers, checked, strict=True) if one.reason] == []


def test_an_answer_promises_nothing_that_a_bot_cannot_know():
    assert wrong_answers(PROMISES) == []


def test_nothing_is_left_to_fill_in():
    assert wrong_answers(r"[{}\[\]<>_]|OO|○|△|□") == []


def test_an_answer_is_tidy():
    assert wrong_answers(r"^\s|\s$|\s\s|\s[.,!?]|[.,!?][가-힣]|[.!?]{2}|[ㄱ-ㅎㅏ-ㅣ]") == []


def test_there_is_no_personal_data():
    for texts in (BOOK.questions, BOOK.answers):
        assert mask(pa.array(texts)).to_pylist() == list(texts)


def test_the_groups_of_the_book_are_those_of_the_files():
    for group, situation in enumerate(SITUATIONS):
        asked = [BOOK.questions[row] for row in np.flatnonzero(BOOK.question_groups == group)]
        assert asked == situation["questions"]
        for row in BOOK.answers_of_groups[group]:
            assert BOOK.answers[row] in situation[TONES[BOOK.answer_tones[row]]]
    assert len(BOOK.answers) == sum(len(situation[tone]) for situation in SITUATIONS for tone in TONES)


def test_the_book_can_be_written_and_read(tmp_path):
    write_book(BOOK, tmp_path)
    copy = read_book(tmp_path)
    assert (copy.questions, copy.answers, copy.groups) == (BOOK.questions, BOOK.answers, BOOK.groups)
    assert copy.question_groups.tolist() == BOOK.question_groups.tolist()
    assert copy.answer_tones.tolist() == BOOK.answer_tones.tolist()


def test_the_book_is_read_once():
    assert read_builtin_book() is BOOK
