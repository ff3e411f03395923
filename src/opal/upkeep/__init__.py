"""What keeps a store of pictures in order over the years: checks, age limits, orphans, erasure."""
