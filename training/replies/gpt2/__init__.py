"""Fine-tunes a GPT-2 model such as KoGPT2 on pairs of a question and an answer, and measures it."""

__all__ = ["card", "packing", "run", "trainer"]
