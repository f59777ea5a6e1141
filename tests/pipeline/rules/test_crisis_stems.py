"""A pattern of crisis.toml is searched only in texts with a stem of its group. So each of its matches needs a stem."""

import random
import re
import tomllib
from importlib.resources import files
from re import _constants as codes
from re import _parser as parser

import pytest

from emojob.pipeline.rules.rule import _Syntax

CRISIS = tomllib.loads((files("emojob.pipeline.rules") / "crisis.toml").read_text(encoding="utf-8"))
TRIES = 40  # random matches of each pattern


def one_of(members, dice):
    """A random character of a character class."""
    kind, value = dice.choice(members)
    if kind is codes.LITERAL:
        return chr(value)
    return chr(dice.randint(*value)) if kind is codes.RANGE else " "


def a_match(tree, dice):
    """A random text that a parsed pattern matches; looks ahead and behind are ignored."""
    text = ""
    for kind, value in tree:
        if kind is codes.LITERAL:
            text += chr(value)
        elif kind is codes.NOT_LITERAL:
            text += "나"
        elif kind is codes.IN:
            text += "나" if value[0][0] is codes.NEGATE else one_of(value, dice)
        elif kind in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            times = dice.randint(value[0], min(value[0] + 1, value[1]))
            text += "".join(a_match(value[2], dice) for _ in range(times))
        elif kind is codes.SUBPATTERN:
            text += a_match(value[3], dice)
        elif kind is codes.BRANCH:
            text += a_match(dice.choice(value[1]), dice)
        elif kind not in (codes.ASSERT, codes.ASSERT_NOT, codes.AT):
            raise NotImplementedError(kind)
    return text


@pytest.mark.parametrize("group", CRISIS["groups"], ids=lambda group: group["name"])
def test_each_match_of_a_pattern_holds_a_stem(group):
    dice, stems = random.Random(20), re.compile("|".join(group["stems"]))
    syntax = _Syntax("(?:다){0,2}", CRISIS["parts"], between="[ .?]?")
    without = set()
    for pattern in group["patterns"]:
        tree = parser.parse(syntax.written_out(pattern))
        without |= {(pattern, text) for text in (a_match(tree, dice) for _ in range(TRIES)) if not stems.search(text)}
    assert sorted(without)[:5] == []
