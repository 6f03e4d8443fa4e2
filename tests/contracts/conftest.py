"""Runs every suite on the fake and on a real livekit-server, so that a fake cannot lie."""

from collections.abc import Iterator

import pytest

from tests.servers.livekit_server import LiveKitServer, running_livekit

FAKE = pytest.param("fake", marks=pytest.mark.unit)
REAL = pytest.param("real", marks=pytest.mark.integration)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for an `edge` both of them."""
    if "edge" in metafunc.fixturenames:
        metafunc.parametrize("edge", [FAKE, REAL])


@pytest.fixture(scope="session")
def livekit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    """A real livekit-server for the whole run."""
    with running_livekit(tmp_path_factory.mktemp("livekit")) as server:
        yield server
