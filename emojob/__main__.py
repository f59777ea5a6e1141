"""Runs the command line for `python -m emojob`, as the command `emojob` does."""

from emojob.jobs.main import main

main()
