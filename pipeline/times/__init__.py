"""Converts texts, numbers and timestamps to times. `time_column` decides how a whole column is read, and
`zones` finds time zones.
"""

__all__ = ["time_column", "zones"]
