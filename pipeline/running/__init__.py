"""Labels a dataset: `run` labels the rows, and `dry_run` only describes what a run would do.

Both call `prepare` first. Then an executor labels the rows: `local` on this machine, or `ray/` on a cluster.
"""

__all__ = ["dry_run", "moved_inputs", "prepare", "role_summary", "run", "unlabelled"]
