"""The training loop, and what is plugged into it."""
