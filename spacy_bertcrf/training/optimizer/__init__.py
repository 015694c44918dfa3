"""AdamW with groups of parameters, schedules and averages of weights."""
