"""The components and their factories."""
