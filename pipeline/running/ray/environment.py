"""The environment variables that Ray reads when it is imported."""

from __future__ import annotations

import os

#: With these settings, Ray sends no usage statistics, prints no lines, and does not lower the priority of its workers.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".*", "RAY_worker_niceness": "0"}


def set_ray_environment() -> None:
    """Set Ray's environment variables, except those that the user has set. Call it before `import ray`."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
