"""Cutting products out of photos: engines behind one interface, their weights, the matte's refinement."""
