"""Which settings of AdamW can be."""


def check_settings(
    weight_decay: float,
    beta1: float,
    beta2: float,
    eps: float,
    grad_clip: float,
    layer_decay: float,
) -> None:
    """Raise ValueError for settings of AdamW that cannot be."""
    for name, value in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}; it must be from 0 to below 1.")
    for name, value in (("weight_decay", weight_decay), ("grad_clip", grad_clip), ("eps", eps)):
        if value < 0:
            raise ValueError(f"{name} is {value}; it must not be negative.")
    if not 0 < layer_decay <= 1:
        raise ValueError(f"layer_decay is {layer_decay}; it must be above 0 and at most 1.")
