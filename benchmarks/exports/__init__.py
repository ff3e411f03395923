"""What `variants.py` measures: Opal's, sharp's and Pillow's way from one photo to eight pictures."""
