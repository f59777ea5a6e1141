"""Finds the language of the environment."""

from __future__ import annotations

import os

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first one with a value counts, as POSIX says


def system_language() -> str:
    """Return ko if the locale of the environment is Korean, such as LANG=ko_KR.UTF-8, otherwise en."""
    locale = next((value for name in _VARIABLES if (value := os.environ.get(name))), "")
    return "ko" if locale.replace(".", "_").split("_")[0].lower() in ("ko", "korean") else "en"
