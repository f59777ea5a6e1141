"""Runs a job on a Ray cluster.

`environment` sets the environment variables of Ray. `connection` connects to the cluster. `nodes` starts the workers.
`shards` divides the rows into shards. `dispatcher` gives the shards to the workers. `worker` labels one shard at a
time. `ray_executor` uses these modules to run the job.
"""

__all__ = ["environment", "ray_executor"]
