"""export-worker: the one consumer of the queue ``exports``; turns completed items into exported ones."""
