"""The version of everything between a photo and its matte. Apart from the network, which is slow to import.

Used by the engines, which name it, and by `opal process`, which makes a photo again once it has changed.
"""

VERSION = "4"
"""Raised whenever the same photo would get another matte."""
