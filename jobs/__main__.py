"""`python -m jobs`: the same as `emojob`."""

from jobs.main import main

main()
