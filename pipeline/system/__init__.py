"""The machine that a run works on: cores, memory, GPUs, the limits of its container and the versions of its packages.

`prefetch` has the threads in which the stages of a run overlap.
"""

__all__ = ["cgroup", "hardware", "prefetch", "versions"]
