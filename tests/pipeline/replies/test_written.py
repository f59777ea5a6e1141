"""What a GPT-2 model writes for requests: the same whatever the batch, and never half a sentence."""

from dataclasses import replace

import pytest

from emojob.pipeline.replies import written
from emojob.pipeline.replies.configuration import Gpt2Settings
from emojob.pipeline.replies.requests import Request
from emojob.pipeline.replies.writing.generation import Generated
from emojob.pipeline.replies.written import WrittenWay
from tests.pipeline.replies.writing.tiny_gpt2 import tiny_gpt2

SETTINGS = Gpt2Settings(max_new_tokens=24, temperature=0.0, seed=0, least_score=0.0)
REQUESTS = [Request(f"{'오늘 ' * (number % 7)}배송이 {number}번 늦어요", "분노") for number in range(64)]


def write(way, requests, drafts=1, settings=SETTINGS):
    return way.write(requests, drafts, settings, lambda: False)


@pytest.fixture
def way():
    return WrittenWay(tiny_gpt2(seed=2), lambda text: 0)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_a_draft_and_its_score_do_not_depend_on_the_batch(way, temperature):
    settings = replace(SETTINGS, temperature=temperature)
    together = write(way, REQUESTS, 2, settings)
    assert len({one.text for row in together for one in row}) > 20
    assert [write(way, [one], 2, settings)[0] for one in REQUESTS] == together
    assert write(way, REQUESTS, 2, replace(settings, seed=5)) != together


def test_the_second_draft_differs_from_the_first_one(way):
    differ = [first.text != second.text for first, second in write(way, REQUESTS, 2)]
    assert sum(differ) > 50


@pytest.mark.parametrize("tokens", [8, 48, 1024])
def test_a_text_that_is_longer_than_the_context_gets_a_draft(tokens):
    way = WrittenWay(tiny_gpt2(seed=2, n_positions=64), lambda text: 0)
    [[draft]] = write(
        way, [Request("배송이 늦어서 답답해요. " * 100, "분노")], 1, replace(SETTINGS, max_new_tokens=tokens)
    )
    assert draft.score > 0


@pytest.mark.parametrize(
    ("text", "ended", "left"),
    [
        ("저도 기뻐요. 산책하기 좋은", True, "저도 기뻐요. 산책하기 좋은"),
        ("저도 기뻐요. 산책하기 좋은", False, "저도 기뻐요."),
        ("산책하기 좋은", False, ""),
    ],
)
def test_a_text_that_did_not_end_loses_its_last_sentence(way, monkeypatch, text, ended, left):
    ids = way.gpt2.sequences.tokenizer.encode(text, add_special_tokens=False).ids
    monkeypatch.setattr(written, "generate", lambda *given: [Generated(ids, ended, 0.5)])
    assert write(way, REQUESTS[:1])[0][0].text == left
