"""orchestrator: the one consumer of the queue ``jobs``; turns uploaded items into completed ones."""
