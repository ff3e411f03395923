"""The data folder of an embedded Opal as one file, and back."""
