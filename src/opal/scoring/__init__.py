"""The placement endpoint: cut-out and scene for one photo."""
