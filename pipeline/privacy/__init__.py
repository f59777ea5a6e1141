"""What is masked, dropped or hashed before it is written."""
