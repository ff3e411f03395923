"""What each sales channel accepts: presets, their rules with sources, and the check of a file."""
