"""Model folders and tokenizers: found, checked, loaded and saved."""
