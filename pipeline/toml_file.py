"""Reading a TOML file that a user names: a night's configuration, a label map, a recipe."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_MOST = 1 << 20  # bytes


def read_toml(file: Path) -> dict[str, Any]:
    """What a TOML file says. Raises OSError where it cannot be read, ValueError where it is not TOML in UTF-8."""
    with file.open("rb") as stream:
        content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        raise ValueError(f"it has more than {_MOST:,} bytes")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
