"""Scenes, placements and the engines that put a product into a scene."""
