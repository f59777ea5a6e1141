"""Runs a job on a Ray cluster.

- `environment` sets the environment variables of Ray.
- `connection` connects to the cluster.
- `nodes` starts the workers.
- `shards` divides the rows of the job into shards (ranges of rows).
- `dispatcher` gives the shards to the workers.
- `worker` labels the rows of a shard.
- `ray_executor` runs the job with these modules.
"""

__all__ = ["environment", "ray_executor"]
