"""The nightly run: score new input files, remove old rows, check for drift, and remake the report.

`night` does or plans a nightly run, `outcome` defines the result, and `night_report` remakes the report of the last
nightly run. `config` reads the configuration file. `monitoring` writes the log and the Prometheus metrics.
"""

__all__ = ["config", "monitoring", "night", "night_report", "outcome"]
