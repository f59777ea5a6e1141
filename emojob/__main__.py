"""Makes `python -m emojob` work like the command `emojob`."""

from emojob.jobs.main import main

main()
