"""One scoring run: `run.py` labels a dataset, and `dry_run.py` only describes what a run would do.

Both modules first use `prepare.py`. An executor labels the rows: `local.py` on this machine, or `ray/` on a cluster.
"""

__all__ = ["dry_run", "prepare", "run"]
