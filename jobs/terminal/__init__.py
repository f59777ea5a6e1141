"""What is printed: progress, summaries, tables, prompts."""
