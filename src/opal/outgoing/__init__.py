"""Requests to addresses that somebody else chose: what may be called, and how. See ``client.py``."""
