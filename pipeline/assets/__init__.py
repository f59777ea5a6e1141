"""What ships with the package: the sample archive and the default model."""
