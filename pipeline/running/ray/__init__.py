"""A run on a Ray cluster: nodes, dispatcher, workers and shards."""
