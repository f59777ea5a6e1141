"""`python -m emojob`: the same as the command `emojob`."""

from emojob.jobs.main import main

main()
