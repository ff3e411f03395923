"""Delivers pictures to tenants' targets, and tries again. Run by web-api; see ``sender.py``."""
