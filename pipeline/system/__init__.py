"""Detects the cores, the memory and the GPUs that this process may use, and the versions of installed packages.

`prefetch` runs the stages of a run in threads, so that the stages overlap.
"""

__all__ = ["cgroup", "hardware", "prefetch", "versions"]
