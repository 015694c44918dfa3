"""What is recorded of a training, and where to."""
