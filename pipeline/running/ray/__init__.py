"""Labels a dataset on a Ray cluster: `ray_executor` runs the job.

`connection` connects to the cluster, `nodes` starts workers (`worker`), and `dispatcher` assigns shards to the workers.
A shard is a range of rows; `shards` divides the rows of the job.
"""

__all__ = ["environment", "ray_executor"]
