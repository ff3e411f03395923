"""Content Credentials: C2PA manifests that say, signed, how a picture was made; and reading any of them."""
