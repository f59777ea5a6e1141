"""Detects the hardware that this process may use, and the versions of installed packages.

The module `prefetch` runs reading, tokenization and inference in concurrent threads.
"""

__all__ = ["cgroup", "hardware", "prefetch", "versions"]
