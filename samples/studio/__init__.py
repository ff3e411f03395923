"""The virtual photo studio behind the sample photos; `samples/render.py` is its only caller."""
