"""One night of the job: score new input files, check for drift, remake the report, remove old rows.

`night` runs or plans a night, `night_report` remakes the report of the last one, `config` reads the configuration file,
and `monitoring` writes the log and the Prometheus metrics.
"""

__all__ = ["config", "monitoring", "night", "night_report", "outcome"]
