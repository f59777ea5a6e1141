"""Which versions of what a run depends on are installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "emojob", "torch", "openvino", "sentencepiece", "pyarrow", "numpy", "duckdb", "polars", "transformers", "ray",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """{package: version}, Python among them; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
