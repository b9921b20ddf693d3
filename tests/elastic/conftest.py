"""What the Elastic tests share: one search server for all of them, set up as ``esatls elastic setup`` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from esatls.elastic import setup as setting_up

from tests.elastic.server import cannot_start, shared
from tests.elastic.store import make_log, reset, wipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from esatls.elastic.client import Client


@pytest.fixture(scope="session")
def bare() -> Client:
    """Return a client of the server, into which nothing need have been loaded."""
    missing = cannot_start()
    if missing:
        pytest.skip(missing)
    return shared().client


@pytest.fixture(scope="session")
def client(bare: Client) -> Client:
    """Return a client of the server with templates and pipeline."""
    for step in setting_up.server_steps(setting_up.capabilities(bare)):
        setting_up.perform(step, bare)
    return bare


@pytest.fixture
def fresh(client: Client) -> Iterator[Client]:
    """Return a client of a server that nothing was loaded into; afterwards it is set up again."""
    wipe(client)
    yield client
    wipe(client)
    for step in setting_up.server_steps(setting_up.capabilities(client)):
        setting_up.perform(step, client)


@pytest.fixture
def empty(client: Client) -> Client:
    """Return a client of a server that holds no events and no records."""
    reset(client)
    return client


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the log that is indexed in the tests."""
    path: Path = tmp_path_factory.mktemp("log") / "mail.log"
    return make_log(path)
