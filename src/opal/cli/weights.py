"""Fetches missing model weights before work starts, with a progress bar. Used by up, demo and process."""
