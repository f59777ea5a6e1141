"""Prints the measures of a bot after `emojob train-replies`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.terminal.text import plain

if TYPE_CHECKING:
    from emojob.training.replies.run import BotOutcome

_WORDS = {
    "en": {
        "finished": "{folder} has this way already, made from the same data; to train it again, add --fresh",
        "questions": "held-out questions", "drafted": "score high enough for a draft",
        "top_1": "category found (top-1)", "top_3": "category among three (top-3)",
        "known": "those whose answer is in the training part",
        "known_of": "{known:,} of {all:,}", "of_these": "{name}, of those",
        "hit_5": "answer among five (hit@5)", "mrr": "mean reciprocal rank", "nearest": "by the nearest questions",
        "classifier": "with the classifier", "tone": "tone suits the emotion",
        "perplexity": "perplexity, before → after", "ended": "drafts that ended by themselves",
        "empty": "drafts without text", "distinct_2": "distinct-2", "repetition": "drafts that repeat",
        "no_pairs": "– (no draft has two words)", "copied": "drafts copied from the data",
        "score": "median score of a draft", "bot": "bot", "next": "next",
    },
    "ko": {
        "finished": "{folder}에는 같은 데이터로 만든 이 방식이 이미 있습니다. 다시 학습하려면 --fresh를 더하세요.",
        "questions": "따로 둔 질문", "drafted": "초안을 쓸 만한 점수",
        "top_1": "카테고리 정확도(top-1)", "top_3": "세 개 안에 있음(top-3)",
        "known": "그중 답이 학습 부분에도 있는 질문", "known_of": "{all:,}개 중 {known:,}개",
        "of_these": "{name}, 이 질문 기준",
        "hit_5": "답이 다섯 개 안에 있음(hit@5)", "mrr": "평균 역순위(MRR)", "nearest": "가장 가까운 질문으로",
        "classifier": "분류기와 함께", "tone": "감정에 맞는 말투", "perplexity": "혼란도, 학습 전 → 후",
        "ended": "스스로 끝낸 초안", "empty": "글이 없는 초안",
        "no_pairs": "–(두 낱말 이상인 초안이 없음)", "distinct_2": "distinct-2", "repetition": "되풀이가 있는 초안",
        "copied": "데이터를 그대로 옮긴 초안", "score": "초안 점수의 중앙값", "bot": "봇", "next": "다음",
    },
}  # fmt: skip


def print_bot(outcome: BotOutcome, language: str) -> None:
    """Print the measures of the trained way, the folder and the next commands. The language is en or ko."""
    words = _WORDS[language]
    if outcome.was_finished:
        click.echo(words["finished"].format(folder=plain(str(outcome.folder))))
    for line in outcome.notes:
        click.echo(plain(line))
    rows = _answers(outcome.measures, words) if outcome.way == "answers" else _gpt2(outcome.measures, words)
    folder = plain(shlex.quote(str(outcome.folder)))
    for line in _aligned(rows) + _aligned([(words["bot"], folder), (words["next"], f"emojob chat --bot {folder}")]):
        click.echo(line)


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Return a line for each row. The values start in the same column of the terminal; Hangul takes two columns."""
    from rich.cells import cell_len

    width = max((cell_len(name) for name, _ in rows), default=0)
    return [f"  {name}{' ' * (width - cell_len(name))}  {value}" for name, value in rows]


def _answers(measures: dict[str, Any], words: dict[str, str]) -> list[tuple[str, str]]:
    nearest, classifier = measures.get("nearest_questions"), measures.get("classifier", {})
    if not nearest or not nearest["held_out"]:
        return _tone(measures, words)
    rows = [(words["questions"], f"{nearest['held_out']:,}")]
    for name in ("drafted", "top_1", "top_3"):
        if nearest[name] is not None:
            rows.append((f"{words[name]}, {words['nearest']}", f"{nearest[name]:.3f}"))
        if classifier.get(name) is not None:
            rows.append((f"{words[name]}, {words['classifier']}", f"{classifier[name]:.3f}"))
    return rows + _retrieval(nearest, words) + _tone(measures, words)


def _retrieval(nearest: dict[str, Any], words: dict[str, str]) -> list[tuple[str, str]]:
    """Return the rows about the questions whose answer is in the book. If some are missing, say how many are left."""
    known, held_out = nearest["retrieval"]["questions"], nearest["held_out"]
    rows, form = [], "{name}"
    if known < held_out:
        rows.append((words["known"], words["known_of"].format(known=known, all=held_out)))
        form = words["of_these"]
    found = [(name, nearest["retrieval"][name]) for name in ("hit_5", "mrr")]
    return rows + [(form.format(name=words[name]), f"{value:.3f}") for name, value in found if value is not None]


def _gpt2(measures: dict[str, Any], words: dict[str, str]) -> list[tuple[str, str]]:
    before, after, tone = measures.get("before"), measures.get("after"), _tone(measures, words)
    if not before or not after:
        return tone
    drafts = after["drafts"]
    rows = [
        (words["questions"], f"{after['pairs']:,}"),
        (words["perplexity"], f"{before['perplexity']:,.1f} → {after['perplexity']:,.1f}"),
    ]
    for name in ("ended", "empty", "distinct_2", "repetition", "copied", "score"):
        rows.append((words[name], words["no_pairs"] if drafts[name] is None else f"{drafts[name]:.3f}"))
    return rows + tone


def _tone(measures: dict[str, Any], words: dict[str, str]) -> list[tuple[str, str]]:
    found = measures.get("tone_agreement")
    return [(words["tone"], f"{found['share']:.3f} ({found['prompts']})")] if found else []
