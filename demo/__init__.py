"""A sample Dataverse with everything that goes wrong in a real one, and the main job run on it: ``scripts/demo``."""
