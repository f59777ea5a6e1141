"""Labels a dataset. `run.py` labels the rows; `dry_run.py` only describes what a run would do.

Both modules call `prepare.py` first. Then an executor labels the rows: `local.py` on this machine, or `ray/` on a
cluster.
"""

__all__ = ["dry_run", "prepare", "run"]
