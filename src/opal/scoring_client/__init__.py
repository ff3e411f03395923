"""How services ask the placement endpoint: the orchestrator for scenes, web-api for bare cut-outs."""
