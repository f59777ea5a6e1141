"""Speed of this machine, of the pipeline and of baselines."""
