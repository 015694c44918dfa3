"""Between torch and thinc: shims, conversions, the optimizer's step on torch's parameters."""
