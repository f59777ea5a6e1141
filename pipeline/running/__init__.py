"""One scoring run. `run.py` labels a dataset into OUT, `dry_run.py` only says what a run would do; both begin in
`prepare.py`. An executor labels the rows: `local.py` on this machine, `ray/` on a cluster.
"""

__all__ = ["dry_run", "prepare", "run"]
