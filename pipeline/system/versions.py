"""Finds the installed versions of the packages that can affect a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "emojob", "torch", "openvino", "sentencepiece", "pyarrow", "numpy", "duckdb", "polars", "transformers", "ray",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """Return {package: version} for Python and for each installed package that can affect a result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
