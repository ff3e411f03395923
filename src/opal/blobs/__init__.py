"""Blob storage with signed URLs: one interface, one file per implementation."""
