"""The labelled archive on disk: parts, markers, journal, run.json, and how it is opened."""
