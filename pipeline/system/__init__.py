"""Detects the cores, the memory and the GPUs that this process may use, and the versions of installed packages.

The module `prefetch` runs the stages of a run, such as reading and inference, concurrently in threads.
"""

__all__ = ["cgroup", "hardware", "prefetch", "versions"]
