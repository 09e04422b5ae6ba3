"""Writes what is generated from the code: pages of the reference, manual pages, completion for shells."""
