"""What ends a training that other processes have a part in."""


class RankError(RuntimeError):
    """A process that others wait for has died or does not answer; it says which, and why."""
