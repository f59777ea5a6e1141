"""Personal data in texts: found without a loop over them, and masked."""
