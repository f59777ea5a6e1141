"""The bot: drafts replies in batches, in the way and the tone that its configuration gives for each emotion.

A text that speaks of suicide or self-harm never gets a draft. Every draft is checked (see `checks`). The same request
gets the same reply, whatever the other requests are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.replies import notes
from emojob.pipeline.replies.answers.choice import NO_GROUP, AnswersWay, Found, ScoredGroup
from emojob.pipeline.replies.checks import UNLIKELY, Checked, check_drafts
from emojob.pipeline.replies.configuration import Configuration
from emojob.pipeline.replies.requests import Reply, Request
from emojob.pipeline.replies.words import ABOUT_THE_BOT, ANSWERS, BRIGHT, CALM, GPT2
from emojob.pipeline.replies.written import WrittenWay
from emojob.pipeline.rules.crisis import speaks_of_crisis
from emojob.schemas.blank import is_blank
from emojob.schemas.labels import is_negative
from emojob.schemas.pii import KINDS, placeholder

#: Number of answers that are tried for each wanted draft, because the checks drop some.
_TRIED = 4
#: Least score of a question about the bot itself.
_SURELY_ABOUT_THE_BOT = 0.34
#: Maximum number of letters and digits of a text that is read together with a text before it.
_SHORT = 5
#: How much higher than the least score an earlier text scores if it says what a later one is about.
_SURER = 0.05
_SMALL_TALK = ("인사/", "대답/", "표현/", "챗봇/", "고객/감사", "고객/칭찬", "고객/만족", "고객/안도")  # categories
_ABOUT_A_PROGRAM = "챗봇/"  # beginning of the categories whose answers are those of a program
#: Beginnings of the categories whose answers are glad, and the least score of such a category for a negative text.
_GLAD, _SURELY_GLAD = ("기쁨/", "고객/칭찬", "고객/만족", "고객/안도", "고객/경사"), 0.45
_NUMBER = re.compile(r"[\d\s-]{4,}")  # such as the number of an order
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PLACEHOLDERS = re.compile("|".join(re.escape(placeholder(kind)) for kind in KINDS))


@dataclass
class Bot:
    """A bot.

    Attributes:
        name: Name of the bot, for messages.
        fingerprint: Hash of everything that decides the drafts.
        configuration: What replies.toml says.
        scorer: Model that scores the emotions of texts and of drafts.
        answers: The way `answers`; None if the bot has no answer book.
        written: The way `gpt2`; None if the bot has no GPT-2 model.
        builtin: The built-in answer book, which answers questions about the bot itself in place of `written`; None if
            it is not needed.
        language: Language of the notes: en or ko.
    """

    name: str
    fingerprint: str
    configuration: Configuration
    scorer: Scorer
    answers: AnswersWay | None
    written: WrittenWay | None = None
    builtin: AnswersWay | None = None
    language: str = "en"
    _checked: dict[str, Checked] = field(default_factory=dict, repr=False)

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways to answer that the bot has."""
        has = {ANSWERS: self.answers is not None, GPT2: self.written is not None}
        return tuple(way for way, is_there in has.items() if is_there)

    def reply(
        self, requests: Sequence[Request], drafts: int = 1, stopping: Callable[[], bool] = lambda: False
    ) -> list[Reply]:
        """Return a reply for each request, in order.

        If the first way gives fewer drafts than wanted, the drafts of the fallback follow. The way, the category and
        the score of a reply are those of its first draft.

        Args:
            requests: The utterances to reply to.
            drafts: Maximum number of drafts for a request, at least 1.
            stopping: callback() that returns True if the bot must stop.

        Raises:
            Interrupted: `stopping` returned True.
        """
        replies = self._without_draft(requests)
        replies |= self._about_the_bot(requests, replies, drafts)
        for step in (0, 1):
            for way in self.ways:
                rows = [
                    row for row, one in enumerate(requests) if self._tries(one, replies.get(row), step, drafts) == way
                ]
                found = self._by(way, [requests[row] for row in rows], drafts, stopping)
                for row, reply in zip(rows, found, strict=True):
                    replies[row] = _joined(replies[row], reply, drafts) if row in replies else reply
        return [replies.get(row, Reply(note=notes.no_way_note(self.language))) for row in range(len(requests))]

    def unknown_emotions(self, labels: Sequence[str] = ()) -> list[str]:
        """Return a line about emotions in replies.toml that no text can have: one or none.

        Args:
            labels: Labels of the texts, in addition to those of the bot's own model.
        """
        return self.configuration.unknown_emotions(self.name, list(dict.fromkeys((*labels, *self.scorer.model.labels))))

    def neighbours(self, request: Request) -> list[tuple[str, float]]:
        """Return the questions of the answer book that are nearest to an utterance, with their scores."""
        if self.answers is None:
            return []
        (found,) = _find(self.answers, [request], self.configuration.answers.least_score)
        return [(one.question, one.score) for one in found.nearest]

    def _without_draft(self, requests: Sequence[Request]) -> dict[int, Reply]:
        """Return {row: reply} of the requests that get no draft: crisis texts, texts after them, and blank texts."""
        texts = list(dict.fromkeys(text for one in requests for text in (one.text, *one.before)))
        is_crisis = dict(zip(texts, speaks_of_crisis(texts).tolist(), strict=True))
        replies = {}
        for row, one in enumerate(requests):
            if is_crisis[one.text]:
                replies[row] = Reply(note=notes.crisis_note(self.language))
            elif any(is_crisis[text] for text in one.before):
                replies[row] = Reply(note=notes.crisis_before_note(self.language))
            elif is_blank(one.text):
                replies[row] = Reply(note=notes.blank_note(self.language))
        return replies

    def _about_the_bot(self, requests: Sequence[Request], done: dict[int, Reply], drafts: int) -> dict[int, Reply]:
        """Return {row: reply} of the questions about the bot itself, to which a model would write what is not true."""
        rows = [row for row, one in enumerate(requests) if self._tries(one, done.get(row), 0, drafts) == GPT2]
        if self.builtin is None or not rows:
            return {}
        found = self._chosen(self.builtin, [requests[row] for row in rows], drafts)
        return {
            row: reply
            for row, reply in zip(rows, found, strict=True)
            if reply.category in ABOUT_THE_BOT and reply.drafts and (reply.score or 0) >= _SURELY_ABOUT_THE_BOT
        }

    def _tries(self, request: Request, reply: Reply | None, step: int, drafts: int) -> str:
        """Return the way that is tried for a request in a step; "" if there is none."""
        if reply is not None and (len(reply.drafts) >= drafts or not reply.way):
            return ""
        return "".join(self.configuration.ways(request.emotion, self.ways)[step : step + 1])

    def _by(self, way: str, requests: Sequence[Request], drafts: int, stopping: Callable[[], bool]) -> Iterable[Reply]:
        if not requests:
            return []
        if way == ANSWERS:
            assert self.answers is not None  # noqa: S101 - for the type checker
            return self._chosen(self.answers, requests, drafts)
        return self._written(requests, drafts, stopping)

    def _chosen(self, answers: AnswersWay, requests: Sequence[Request], drafts: int) -> list[Reply]:
        """Return replies from an answer book."""
        least = self.configuration.answers.least_score
        found = _find(answers, requests, least)
        candidates = [
            [] if one.score < least else answers.choose(one.group, self._tone(request), _TRIED * drafts)
            for one, request in zip(found, requests, strict=True)
        ]
        texts_of = [[answers.book.answers[number] for number in numbers] for numbers in candidates]
        self._check_answers({text for row in texts_of for text in row})
        replies = []
        for one, row in zip(found, texts_of, strict=True):
            checked = [self._checked[text] for text in row]
            texts = tuple(dict.fromkeys(draft.text for draft in checked if not draft.reason))[:drafts]
            if one.score < least:
                note = notes.low_score_note(self.language, one.score, least)
            elif not row:
                note = notes.no_answer_note(self.language, one.category)
            else:
                note = "" if texts else notes.dropped_note(self.language, [draft.reason for draft in checked])
            replies.append(Reply(texts, ANSWERS, one.category, one.score, note))
        return replies

    def _tone(self, request: Request) -> str:
        tone = self.configuration.of(request.emotion).tone
        return CALM if request.is_careful and tone == BRIGHT else tone

    def _check_answers(self, texts: Iterable[str]) -> None:
        """Check answers of an answer book, each one once."""
        new = sorted(text for text in texts if text not in self._checked)
        self._checked.update(zip(new, check_drafts(new, self.scorer), strict=True))

    def _written(self, requests: Sequence[Request], drafts: int, stopping: Callable[[], bool]) -> list[Reply]:
        """Return replies that the GPT-2 model writes."""
        assert self.written is not None  # noqa: S101 - for the type checker
        settings = self.configuration.gpt2
        written = self.written.write(requests, drafts, settings, stopping)
        texts = [one.text for row in written for one in row]
        checked = iter(check_drafts(texts, self.scorer, self.written.longest_copied))
        replies = []
        for row in written:
            kept: dict[str, float] = {}
            reasons = []
            for one, draft in [(one, next(checked)) for one in row]:
                reasons.append(draft.reason or ("" if one.score >= settings.least_score else UNLIKELY))
                if not reasons[-1]:
                    kept.setdefault(draft.text, one.score)
            score = next(iter(kept.values()), row[0].score)
            note = "" if kept else notes.dropped_note(self.language, reasons)
            replies.append(Reply(tuple(kept), GPT2, score=score, note=note))
        return replies


def is_follow_up(request: Request) -> bool:
    """Return whether a text is so short that the texts before it may say what it is about, such as `그러니까요`."""
    return bool(request.before) and 0 < letters(request.text) <= _SHORT


def _topic(request: Request) -> str:
    """Return the text before a follow-up that says what it is about: the last long one, else the longest one."""
    latest_first = request.before[::-1]
    return next((text for text in latest_first if letters(text) > _SHORT), max(latest_first, key=letters))


def letters(text: str) -> int:
    """Return the number of letters and digits of a text."""
    return sum(map(str.isalnum, text))


def _find(answers: AnswersWay, requests: Sequence[Request], least: float) -> list[Found]:
    """Find a group for each request. A text that fits nothing may be about what an earlier text is about."""
    asked = zip(answers.find([_asked(one.text) for one in requests]), requests, strict=True)
    found = [_fitting(one, request) for one, request in asked]
    unfit = [row for row, one in enumerate(found) if one.score < least]
    follow_ups = [row for row in unfit if is_follow_up(requests[row])]
    joined = answers.find([f"{_topic(requests[row])} {requests[row].text}" for row in follow_ups])
    for row, one in zip(follow_ups, joined, strict=True):
        fitting = _fitting(one, requests[row])
        if fitting.score >= least:
            found[row] = fitting
    same = [row for row in unfit if found[row].score < least and requests[row].is_same_matter]
    earlier = iter(answers.find([_asked(text) for row in same for text in requests[row].before]))
    for row in same:
        subjects = [_fitting(next(earlier), requests[row]) for _ in requests[row].before]
        subjects = [one for one in subjects if _is_subject(one, least)]
        found[row] = max(subjects, key=lambda one: one.score, default=found[row])
    return found


def _fitting(found: Found, request: Request) -> Found:
    """Return the found groups without those whose answers are out of place."""
    groups = (ScoredGroup(found.group, found.category, found.score), *found.alternatives)
    fitting = [one for one in groups if _fits(one, request)]
    best = fitting[0] if fitting else ScoredGroup(NO_GROUP, "", 0.0)
    return replace(found, group=best.group, category=best.category, score=best.score, alternatives=tuple(fitting[1:]))


def _fits(group: ScoredGroup, request: Request) -> bool:
    """Return whether the answers of a group are in place: an agent is no program, and grief gets no glad answer."""
    if request.is_for_agent and group.category.startswith(_ABOUT_A_PROGRAM):
        return False
    is_glad = group.category.startswith(_GLAD)
    return not is_glad or group.score >= _SURELY_GLAD or not is_negative(request.emotion or "")


def _is_subject(found: Found, least: float) -> bool:
    """Return whether an earlier text surely says what a conversation is about. Thanks and greetings do not."""
    return found.score >= least + _SURER and not found.category.startswith(_SMALL_TALK)


def _asked(text: str) -> str:
    """Return a text without control characters and placeholders of personal data; "" if only symbols are left."""
    asked = _PLACEHOLDERS.sub(" ", _CONTROL.sub("", text))
    return asked if any(map(str.isalpha, asked)) or _NUMBER.fullmatch(asked) or _has_emoji(asked) else ""


def _has_emoji(text: str) -> bool:
    return any(unicodedata.category(one) == "So" for one in text)


def _joined(first: Reply, second: Reply, most: int) -> Reply:
    """Return the reply of the first way with the drafts of the second one behind its own."""
    if not first.drafts:
        return second if second.drafts else first
    return replace(first, drafts=tuple(dict.fromkeys((*first.drafts, *second.drafts)))[:most])
