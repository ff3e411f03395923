"""Sends webhooks as Standard Webhooks has it, and tries again. Run by web-api; see ``sender.py``."""
