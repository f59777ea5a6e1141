"""Sets the environment variables that Ray reads during `import ray`."""

from __future__ import annotations

import os

#: Send no usage statistics, print no output of the workers, and run the workers with normal priority (niceness 0).
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".*", "RAY_worker_niceness": "0"}


def set_ray_environment() -> None:
    """Set Ray's environment variables, if the user has not set them. Must be called before `import ray`."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
