"""Commands that answer requests and do jobs."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.shared import read_settings, run_work

if TYPE_CHECKING:
    import socket

    from app.core.config import Settings
    from app.core.runtime import Addresses, StopSignals

commands = typer.Typer()

Host = Annotated[str | None, typer.Option(help="Address to listen on; default HUIKE_HOST.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen on; default HUIKE_PORT.")
]


@commands.command()
def serve(
    host: Host = None,
    port: Port = None,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Run a worker in the same process.")
    ] = False,
) -> None:
    """Answer requests until SIGTERM or Ctrl-C."""
    gc.disable()
    settings = read_settings(host=host, port=port)

    async def work(signals: "StopSignals") -> None:
        from app.core.runtime import bound_socket, prepared_database

        settings.check_safe_to_serve()
        listener = bound_socket(settings.host, settings.port)
        loading = _begin_loading()
        async with prepared_database(settings, watched=True) as addresses:
            await loading
            _end_loading()
            await _serve(settings, addresses, listener, signals, with_worker=with_worker)

    run_work(settings, work)


@commands.command()
def run(port: Port = None) -> None:
    """Start everything on this machine: database, demo chain, service and worker."""
    gc.disable()
    settings = read_settings(host="127.0.0.1", port=port)
    if "log_format" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_format": "console"})

    async def work(signals: "StopSignals") -> None:
        from app.cli.demo import welcome_of
        from app.core import runtime

        runtime.prepare_data_dir(settings.data_dir)
        listener = runtime.bound_socket(settings.host, settings.port)
        address = f"http://{settings.host}:{listener.getsockname()[1]}"
        with runtime.only_run(settings.data_dir, address):
            keyed = runtime.with_kept_secret_key(settings)
            loading = _begin_loading()
            async with runtime.database_addresses(keyed, watched=True) as addresses:
                if await runtime.migrate_if_needed(addresses, keyed):
                    print("The tables are ready.", flush=True)
                await loading
                _end_loading()
                text = await welcome_of(keyed, addresses, address)

                async def announce() -> None:
                    print(text, flush=True)

                await _serve(
                    keyed, addresses, listener, signals, with_worker=True, on_ready=announce
                )
        print("Huike has stopped.", flush=True)

    run_work(settings, work)


@commands.command()
def worker() -> None:
    """Run queued jobs and start the night, until SIGTERM or Ctrl-C."""
    settings = read_settings()

    async def work(signals: "StopSignals") -> None:
        from app.core.runtime import prepared_database
        from app.jobs.worker import run_worker

        async with prepared_database(settings, watched=True) as addresses:
            signals.defer()
            await run_worker(addresses.service, settings, signals.stop)

    run_work(settings, work)


async def _serve(
    settings: "Settings",
    addresses: "Addresses",
    listener: "socket.socket",
    signals: "StopSignals",
    *,
    with_worker: bool,
    on_ready: Callable[[], Awaitable[None]] | None = None,
) -> None:
    from app.core.database import Database
    from app.core.serving import serve as serve_app
    from app.main import create_app

    async def work_beside() -> None:
        # Loaded beside the first requests, not before them.
        run_worker = await asyncio.to_thread(_load_worker)
        await run_worker(addresses.service, settings, signals.stop)

    database = Database(addresses.service, settings)
    try:
        await serve_app(
            create_app(settings, database),
            settings,
            listener,
            signals,
            beside=work_beside if with_worker else None,
            on_ready=on_ready,
        )
    finally:
        await database.close()


def _load_worker() -> Callable[..., Awaitable[None]]:
    from app.jobs.worker import run_worker

    return run_worker


def _begin_loading() -> "asyncio.Task[None]":
    """Load the service in a thread: the database needs about as long to come up."""

    def load() -> None:
        import app.core.serving
        import app.main  # noqa: F401 - loaded early

    return asyncio.create_task(asyncio.to_thread(load))


def _end_loading() -> None:
    """Collect garbage again, which the commands that load the service put off.

    Loading makes a great many objects and no garbage; looking for some takes a third of its time.
    What is there by now stays for good, so it is never looked at again.
    """
    gc.freeze()
    gc.enable()
