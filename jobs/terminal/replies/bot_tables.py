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
        "questions": "held-out questions", "top_1": "category found (top-1)", "top_3": "category among three (top-3)",
        "hit_5": "answer among five (hit@5)", "mrr": "mean reciprocal rank", "nearest": "by the nearest questions",
        "classifier": "with the classifier", "tone": "tone suits the emotion",
        "perplexity": "perplexity, before → after", "ended": "drafts that ended by themselves",
        "distinct_2": "distinct-2", "repetition": "drafts that repeat",
        "copied": "drafts copied from the data", "score": "median score of a draft", "bot": "bot", "next": "next",
    },
    "ko": {
        "finished": "{folder}에는 같은 데이터로 만든 이 방식이 이미 있습니다. 다시 학습하려면 --fresh를 더하세요.",
        "questions": "따로 둔 질문", "top_1": "카테고리 정확도(top-1)", "top_3": "세 개 안에 있음(top-3)",
        "hit_5": "답이 다섯 개 안에 있음(hit@5)", "mrr": "평균 역순위(MRR)", "nearest": "가장 가까운 질문으로",
        "classifier": "분류기와 함께", "tone": "감정에 맞는 말투", "perplexity": "혼란도, 학습 전 → 후",
        "ended": "스스로 끝낸 초안", "distinct_2": "distinct-2", "repetition": "되풀이가 있는 초안",
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
    for name, value in rows:
        click.echo(f"  {name:32}  {value}")
    folder = plain(shlex.quote(str(outcome.folder)))
    click.echo(f"  {words['bot']:6} {folder}")
    click.echo(f"  {words['next']:6} emojob chat --bot {folder}")


def _answers(measures: dict[str, Any], words: dict[str, str]) -> list[tuple[str, str]]:
    nearest = measures.get("nearest_questions", {})
    retrieval, classifier = nearest.get("retrieval", {}), measures.get("classifier", {})
    rows = [(words["questions"], f"{retrieval.get('questions', 0):,}")]
    for name in ("top_1", "top_3"):
        if nearest.get(name) is not None:
            rows.append((f"{words[name]}, {words['nearest']}", f"{nearest[name]:.3f}"))
        if classifier.get(name) is not None:
            rows.append((f"{words[name]}, {words['classifier']}", f"{classifier[name]:.3f}"))
    if retrieval.get("questions"):
        rows += [(words[name], f"{retrieval[name]:.3f}") for name in ("hit_5", "mrr")]
    return rows + _tone(measures, words)


def _gpt2(measures: dict[str, Any], words: dict[str, str]) -> list[tuple[str, str]]:
    before, after, tone = measures.get("before"), measures.get("after"), _tone(measures, words)
    if not before or not after:
        return tone
    drafts = after["drafts"]
    rows = [
        (words["questions"], f"{after['pairs']:,}"),
        (words["perplexity"], f"{before['perplexity']:,.1f} → {after['perplexity']:,.1f}"),
    ]
    return (
        rows
        + [
            (words[name], f"{drafts[name]:.3f}")
            for name in ("ended", "distinct_2", "repetition", "copied", "score")
            if drafts[name] is not None
        ]
        + tone
    )


def _tone(measures: dict[str, Any], words: dict[str, str]) -> list[tuple[str, str]]:
    found = measures.get("tone_agreement")
    return [(words["tone"], f"{found['share']:.3f} ({found['prompts']})")] if found else []
