"""Makes the JavaScript of Vega, Vega-Lite and Vega-Embed, and keeps it in the user's cache."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

from emojob.pipeline.storage.atomic import write_bytes
from emojob.pipeline.storage.folders import make_folders, user_cache

_EMBED = "window.vegaEmbed = vegaEmbed;"


@functools.cache
def vega_libraries() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed.

    Making it takes up to two seconds. The cache has a file for each version of vl-convert, and the last line of the
    file is the hash of the others.
    """
    import vl_convert

    file = user_cache() / f"vega-{version('vl-convert-python')}.js"
    kept = _read(file)
    if kept is not None:
        return kept
    script = str(vl_convert.javascript_bundle(_EMBED))
    with contextlib.suppress(OSError):  # the cache may be read-only
        make_folders(file.parent)
        write_bytes(file, f"{script}\n// {_hash(script)}".encode())
    return script


def _read(file: Path) -> str | None:
    """Return the content of a file in the cache; None if there is none, or if it is damaged."""
    with contextlib.suppress(OSError, ValueError):
        script, _, last = file.read_bytes().decode().rpartition("\n// ")
        if last == _hash(script):
            return script
    return None


def _hash(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()
