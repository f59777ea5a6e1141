"""Writes answers with a GPT-2 model such as KoGPT2: token sequences, model folders and generation in batches."""

__all__ = ["copies", "generation", "gpt2_folder", "sequence"]
