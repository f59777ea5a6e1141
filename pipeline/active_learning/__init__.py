"""What to annotate next: the utterances that a model is least sure of."""
