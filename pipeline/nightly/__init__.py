"""The nightly run: score new input files, remove old rows, check for drift, and write the report.

- `config`: the configuration file
- `clock`: checks a date that comes from the system clock
- `night`: the nightly run and its plan
- `night_report`: the report
- `missing`: files that a nightly run did not find
- `alarm_texts`: the texts of drift alarms
- `outcome`: the result of a nightly run
- `monitoring`: the log and the Prometheus metrics
"""

__all__ = ["alarm_texts", "clock", "config", "missing", "monitoring", "night", "night_report", "outcome"]
