"""Annotated data: files read, labels mapped, texts split."""
