"""Pixels without I/O: reading photos safely, colour, resizing, mattes, composing, writing files.

Importing any part of it hardens libvips first, so that no caller can forget to.
"""

from opal.images.loaders import harden_libvips

harden_libvips()
