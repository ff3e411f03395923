"""A cut-out as one file: on nothing, on a colour or a picture, or its mask alone."""
