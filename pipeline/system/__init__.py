"""Detects the machine of a run: cores, memory, GPUs, the limits of the container and the versions of the packages.

`prefetch` runs the stages of a run in threads, so that the stages overlap.
"""

__all__ = ["cgroup", "hardware", "prefetch", "versions"]
