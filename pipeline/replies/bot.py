"""The bot: drafts replies in batches, in the way and the tone that its configuration gives for each emotion.

A text that speaks of suicide or self-harm never gets a draft. Every draft is checked (see `checks`). The same request
gets the same reply, whatever the other requests are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.replies import notes
from emojob.pipeline.replies.answers.choice import AnswersWay, Found
from emojob.pipeline.replies.checks import Checked, check_drafts
from emojob.pipeline.replies.configuration import Configuration
from emojob.pipeline.replies.requests import Reply, Request
from emojob.pipeline.replies.words import ANSWERS, GPT2
from emojob.pipeline.replies.written import WrittenWay
from emojob.pipeline.rules.crisis import speaks_of_crisis
from emojob.schemas.blank import is_blank

#: Number of answers that are tried for each wanted draft, because the checks drop some.
_TRIED = 4
#: Maximum number of letters and digits of a text that is read together with a text before it.
_SHORT = 8


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
        language: Language of the notes: en or ko.
    """

    name: str
    fingerprint: str
    configuration: Configuration
    scorer: Scorer
    answers: AnswersWay | None
    written: WrittenWay | None = None
    language: str = "en"
    _checked: dict[int, Checked] = field(default_factory=dict, repr=False)

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways to answer that the bot has."""
        has = {ANSWERS: self.answers is not None, GPT2: self.written is not None}
        return tuple(way for way, is_there in has.items() if is_there)

    def reply(
        self, requests: Sequence[Request], drafts: int = 1, stopping: Callable[[], bool] = lambda: False
    ) -> list[Reply]:
        """Return a reply for each request, in order.

        Args:
            requests: The utterances to reply to.
            drafts: Maximum number of drafts for a request, at least 1.
            stopping: callback() that returns True if the bot must stop.

        Raises:
            StopRequested: `stopping` returned True.
        """
        replies = self._without_draft(requests)
        for step in (0, 1):
            for way in self.ways:
                rows = [row for row, one in enumerate(requests) if self._tries(one, replies.get(row), step) == way]
                for row, found in zip(
                    rows, self._by(way, [requests[row] for row in rows], drafts, stopping), strict=True
                ):
                    if row not in replies or found.drafts or not replies[row].way:
                        replies[row] = found
        return [replies.get(row, Reply(note=notes.no_way_note(self.language))) for row in range(len(requests))]

    def neighbours(self, request: Request) -> list[tuple[str, float]]:
        """Return the questions of the answer book that are nearest to an utterance, with their scores."""
        if self.answers is None:
            return []
        (found,) = self._find([request], self.configuration.answers.least_score)
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

    def _tries(self, request: Request, reply: Reply | None, step: int) -> str:
        """Return the way that is tried for a request in a step; "" if there is none."""
        if reply is not None and (reply.drafts or not reply.way):
            return ""
        return "".join(self.configuration.ways(request.emotion, self.ways)[step : step + 1])

    def _by(self, way: str, requests: Sequence[Request], drafts: int, stopping: Callable[[], bool]) -> Iterable[Reply]:
        if not requests:
            return []
        return self._chosen(requests, drafts) if way == ANSWERS else self._written(requests, drafts, stopping)

    def _chosen(self, requests: Sequence[Request], drafts: int) -> list[Reply]:
        """Return replies from the answer book."""
        assert self.answers is not None  # noqa: S101 - for the type checker
        least = self.configuration.answers.least_score
        found = self._find(requests, least)
        candidates = [
            [] if one.score < least else self.answers.choose(one.group, self._tone(request), _TRIED * drafts)
            for one, request in zip(found, requests, strict=True)
        ]
        self._check_answers({number for row in candidates for number in row})
        replies = []
        for one, numbers in zip(found, candidates, strict=True):
            checked = [self._checked[number] for number in numbers]
            texts = tuple(dict.fromkeys(draft.text for draft in checked if not draft.reason))[:drafts]
            if one.score < least:
                note = notes.low_score_note(self.language, one.score, least)
            else:
                note = "" if texts else notes.dropped_note(self.language, [draft.reason for draft in checked])
            replies.append(Reply(texts, ANSWERS, one.category, one.score, note))
        return replies

    def _find(self, requests: Sequence[Request], least: float) -> list[Found]:
        """Find a group for each request. A short text that fits nothing is searched again with an earlier text."""
        assert self.answers is not None  # noqa: S101 - for the type checker
        found = self.answers.find([one.text for one in requests])
        again = [row for row, one in enumerate(found) if one.score < least and is_follow_up(requests[row])]
        joined = self.answers.find([f"{_topic(requests[row])} {requests[row].text}" for row in again])
        for row, one in zip(again, joined, strict=True):
            if one.score >= least:
                found[row] = one
        return found

    def _tone(self, request: Request) -> str:
        return self.configuration.of(request.emotion).tone

    def _check_answers(self, numbers: Iterable[int]) -> None:
        """Check answers of the answer book, each one once."""
        assert self.answers is not None  # noqa: S101 - for the type checker
        new = sorted(number for number in numbers if number not in self._checked)
        checked = check_drafts([self.answers.book.answers[number] for number in new], self.scorer)
        self._checked.update(zip(new, checked, strict=True))

    def _written(self, requests: Sequence[Request], drafts: int, stopping: Callable[[], bool]) -> list[Reply]:
        """Return replies that the GPT-2 model writes."""
        assert self.written is not None  # noqa: S101 - for the type checker
        texts = self.written.write(requests, drafts, self.configuration.gpt2, stopping)
        checked = iter(check_drafts([text for row in texts for text in row], self.scorer, self.written.longest_copied))
        replies = []
        for row in texts:
            drafted = [next(checked) for _ in row]
            kept = tuple(dict.fromkeys(draft.text for draft in drafted if not draft.reason))
            note = "" if kept else notes.dropped_note(self.language, [draft.reason for draft in drafted])
            replies.append(Reply(kept, GPT2, note=note))
        return replies


def is_follow_up(request: Request) -> bool:
    """Return whether a text is so short that the texts before it may say what it is about, such as `그러니까요`."""
    return bool(request.before) and _letters(request.text) <= _SHORT


def _topic(request: Request) -> str:
    """Return the text before a follow-up that says what it is about: the last long one, else the longest one."""
    latest_first = request.before[::-1]
    return next((text for text in latest_first if _letters(text) > _SHORT), max(latest_first, key=_letters))


def _letters(text: str) -> int:
    """Return the number of letters and digits of a text."""
    return sum(map(str.isalnum, text))
