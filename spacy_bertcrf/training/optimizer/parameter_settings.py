"""What `spacy-bertcrf.AdamW.v1` knows of each parameter: how fast it learns, and how it decays."""

from typing import NamedTuple

from spacy_bertcrf.models.bridge.trained_parameters import Key, TrainedParameter
from spacy_bertcrf.training.optimizer.parameter_groups import Group, best_match, is_bias_or_norm


class ParameterSetting(NamedTuple):
    """Of one parameter.

    scale: what the rate of its group is multiplied by.
    """

    group: Group
    scale: float
    weight_decay: float


class ParameterSettings(dict[Key, ParameterSetting]):
    """The settings of the parameters that an optimizer has been told of.

    groups: those of the config.
    default: the group of parameters that belong to none of these.
    layer_decay, decay_biases: as in AdamW.
    """

    def __init__(self, groups: list[Group], default: Group, layer_decay: float, decay_biases: bool):
        super().__init__()
        self._groups = groups
        self._default = default
        self._layer_decay = layer_decay
        self._decay_biases = decay_biases
        self._names: list[str] = []
        self._found_layers = False

    def add(self, parameter: TrainedParameter) -> None:
        """Take up a parameter; nothing is done if it is there."""
        if parameter.key in self:
            return
        group = best_match(self._groups, parameter.name) or self._default
        scale = 1.0 if parameter.distance is None else self._layer_decay**parameter.distance
        decays = self._decay_biases or not is_bias_or_norm(parameter.name, parameter.weights)
        weight_decay = group.weight_decay if decays else 0.0
        self[parameter.key] = ParameterSetting(group, scale, weight_decay)
        self._names.append(parameter.name)
        self._found_layers = self._found_layers or parameter.distance is not None

    def require_parameters(self) -> None:
        """Raise ValueError for a group without parameters, and for a layer decay without layers;
        to be called when all parameters are there."""
        used = {setting.group.name for setting in self.values()}
        names = f"Parameters are {', '.join(self._names[:3])} … {', '.join(self._names[-3:])}."
        for group in self._groups:
            if group.name not in used:
                raise ValueError(
                    f"The parameter group '{group.name}' is empty: its pattern '{group.pattern}' "
                    f"matches no parameter that no longer pattern matches. {names}"
                )
        if self._layer_decay != 1 and not self._found_layers:
            raise ValueError(
                f"layer_decay is {self._layer_decay}, but there is no Hugging Face encoder whose "
                f"layers it could be for. Set it to 1. {names}"
            )
