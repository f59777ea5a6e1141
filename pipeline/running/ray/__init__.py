"""A run on a Ray cluster: the executor, its connection and nodes, the dispatcher that gives shards to workers, and the
worker that labels them on a node.
"""

__all__ = ["environment", "ray_executor"]
