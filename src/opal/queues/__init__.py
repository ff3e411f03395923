"""Queues with peek-lock semantics: one interface, one file per implementation."""
