"""Hyperparameters by search, on Optuna (extra `tune`)."""
