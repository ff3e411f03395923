"""What `cutout_api.py` asks: Opal's and rembg's HTTP servers, and clients that ask them."""
