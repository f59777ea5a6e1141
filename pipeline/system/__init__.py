"""Detects the hardware that this process may use, and the versions of installed packages.

The module `prefetch` runs the stages of a run, for example reading and inference, in concurrent threads.
"""

__all__ = ["cgroup", "hardware", "prefetch", "versions"]
