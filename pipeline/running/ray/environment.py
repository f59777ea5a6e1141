"""What Ray reads from the environment when it is imported."""

from __future__ import annotations

import os

#: Ray reports nothing to others, its messages do not mix with what emojob prints, and a cluster of this machine alone
#: works as hard as a run without one.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".*", "RAY_worker_niceness": "0"}


def set_ray_environment() -> None:
    """Set the environment variables for Ray; those that the user has set stay. Call it before `import ray`."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
