"""Strangers' pictures, read where they can do no harm: each in a process of its own, bounded and short-lived.

Callers use ``pictures.py``, whose functions are those of ``opal.images`` by name and result. Behind it
``client.py`` speaks to ``zygote.py``, a process that knows no secret and forks one child per picture;
``confine.py`` takes from the child what it does not need; ``jobs.py`` is what it may be asked to do.
docs/security.md says what is bounded by how much, and which test would notice.
"""
