"""Alembic's folder: env.py runs the revisions under versions/."""
