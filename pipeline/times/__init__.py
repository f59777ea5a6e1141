"""Converts texts, numbers and timestamps to times.

`time_column` decides how a whole column is read, `time_reading` says which values are not times, and `zones` finds time
zones.
"""

__all__ = ["time_column", "time_reading", "zones"]
