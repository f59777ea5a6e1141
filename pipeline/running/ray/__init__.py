"""A run on a Ray cluster: the executor, the connection to the cluster, its nodes, the dispatcher, which gives shards of
rows to workers, and the worker, which labels shards on a node.
"""

__all__ = ["environment", "ray_executor"]
