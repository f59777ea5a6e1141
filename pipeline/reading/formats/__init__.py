"""One file for each format, and what text formats share."""
