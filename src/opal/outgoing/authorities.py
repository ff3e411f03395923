"""The certificate authorities that Opal trusts when it calls others: one set, read once per process.

Used by ``client.py``, and by the clients of the placement endpoint, of signed URLs and of the command line.
"""

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """Those that come with the HTTP client, for machines that have none, and the machine's own.

    Shared, as reading them takes some tens of milliseconds; nobody may change what it is given.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
