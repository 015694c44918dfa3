"""Ways of training: losses and changes of a step that a config adds."""
