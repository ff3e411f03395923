"""A TCP server of a test whose connections end with it; none is left for the garbage collector to report."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """The loopback port on which ``serve`` has each connection, until the block ends."""
    connections: set[asyncio.Task[None]] = set()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await serve(reader, writer)
        finally:
            connections.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(hold, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        ending = set(connections)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
        await server.wait_closed()
        await asyncio.sleep(0)  # a transport ends in the turn after its abortion
