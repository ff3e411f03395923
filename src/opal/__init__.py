"""Opal: raw product photos in, marketplace-ready pictures out."""

__version__ = "0.3.0"
