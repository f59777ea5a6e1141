"""Compiles a rule from TOML: patterns that a text must meet, and harmless wordings that do not count."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.rules.normal_text import normal_texts

#: Stands for a harmless wording that was cut out of a text. No pattern may name it.
CUT_OUT = "\ufffd"

#: A match of `beside` counts if it lies at most this many characters from a match of the patterns.
NEAR = 40

_PART = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class _Group:
    """A group of patterns.

    Attributes:
        stems: A regular expression. A text without a match does not meet the patterns.
        patterns: The patterns, as alternatives.
        harmless: Wordings that are cut out before the patterns are searched again.
        beside: Wordings. Where there are any, a match of the patterns counts only near one of them.
    """

    stems: str
    patterns: re.Pattern[str]
    harmless: re.Pattern[str] | None
    beside: re.Pattern[str] | None

    def finds(self, text: str) -> bool:
        """Return whether a text with a stem meets a pattern outside of harmless wordings."""
        if not self.patterns.search(text):
            return False
        if self.harmless is not None:
            text = self.harmless.sub(CUT_OUT, text)
        beside = self.beside
        if beside is None:
            return self.patterns.search(text) is not None
        found = self.patterns.finditer(text)
        return any(beside.search(text, max(0, one.start() - NEAR), one.end() + NEAR) for one in found)


class _Syntax:
    """Writes out the parts, gaps and spaces of patterns.

    Args:
        gap: Pattern that ~ stands for.
        parts: Patterns by name. A part may name those before it.
        between: Pattern that a space stands for.
    """

    def __init__(self, gap: str, parts: dict[str, str], between: str) -> None:
        self._parts, self._between = {"gap": gap}, between
        for name, pattern in parts.items():
            self._parts[name] = self.written_out(pattern)

    def written_out(self, pattern: str) -> str:
        """Return a pattern as a regular expression of Python."""
        pattern = pattern.replace(" ", self._between).replace("~", "{gap}")
        return _PART.sub(lambda found: f"(?:{self._parts[found[1]]})", pattern)

    def alternatives(self, patterns: list[str]) -> re.Pattern[str]:
        """Return a compiled expression that matches what one of the patterns matches."""
        return re.compile("|".join(self.written_out(one) for one in patterns))


class Rule:
    """A rule: groups of patterns over the normal form of a text (`normal_text`).

    In a pattern, a space stands for at most one mark, in a harmless wording for at most one space. ~ stands for up to
    20 characters of the same sentence that hold none of the words in `stop`, and {name} for a part. The rest are
    Python's regular expressions. A repetition needs a maximum, which keeps the search linear in the length of a text.

    Args:
        toml: Tables `parts` (name -> pattern) and `groups` (name, stems, patterns, and if needed harmless and beside),
            and `stop`.
    """

    def __init__(self, toml: str) -> None:
        content = tomllib.loads(toml)
        gap = rf"(?:(?!{content['stop']})[^.?{CUT_OUT}]){{0,20}}"
        syntax = _Syntax(gap, content["parts"], between="[ .?]?")
        harmless = _Syntax(gap, content["parts"], between=" ?")
        self._groups = [_group(table, syntax, harmless) for table in content["groups"]]

    def is_met(self, texts: Sequence[str | None]) -> NDArray[np.bool_]:
        """Return whether each text meets the rule: bool [texts]. None and blank texts do not."""
        return self.is_met_by(normal_texts(texts))

    def is_met_by(self, normal: Sequence[str]) -> NDArray[np.bool_]:
        """Return whether each text meets the rule: bool [texts]. `normal`: the texts in their normal form."""
        found, column = np.zeros(len(normal), np.bool_), pa.array(normal, pa.string())
        for group in self._groups:
            has_stem = pc.match_substring_regex(column, group.stems).to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(has_stem & ~found).tolist():
                found[row] = group.finds(normal[row])
        return found


def _group(table: dict[str, list[str]], syntax: _Syntax, of_harmless: _Syntax) -> _Group:
    harmless, beside = table.get("harmless"), table.get("beside")
    return _Group(
        "|".join(table["stems"]),
        syntax.alternatives(table["patterns"]),
        of_harmless.alternatives(harmless) if harmless else None,
        syntax.alternatives(beside) if beside else None,
    )
