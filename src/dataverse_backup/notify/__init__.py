"""How the administrators hear of a run."""
