"""Lets `python -m emojob` run the same program as the command `emojob`."""

from emojob.jobs.main import main

main()
