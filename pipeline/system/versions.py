"""Finds the versions of installed packages that can affect the results."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "emojob", "torch", "openvino", "sentencepiece", "pyarrow", "numpy", "duckdb", "polars", "transformers", "ray",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """Return {package: version} for Python and the installed packages that can affect the results."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
