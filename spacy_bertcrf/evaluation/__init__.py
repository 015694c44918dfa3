"""How good the predictions are, and how well their scores say so."""
