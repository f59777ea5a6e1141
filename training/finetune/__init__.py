"""Fine-tuning: from annotated data and a base model to a model folder."""
