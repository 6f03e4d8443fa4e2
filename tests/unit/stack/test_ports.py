"""Port blocks: claimed by one stack, free again when it ends."""

import socket
from dataclasses import replace

import pytest

from stack.errors import MissingTool
from stack.ports import (
    BLOCK_SIZE,
    LOOPBACK,
    Ports,
    claimed_ports,
    free_port,
    is_free,
    require_free,
)

pytestmark = pytest.mark.unit


def all_ports(ports: Ports) -> set[int]:
    single = {value for value in vars(ports).values() if isinstance(value, int)}
    ranges = (range(first, last + 1) for first, last in (ports.rtc, ports.rtp))
    return single.union(*ranges)


def test_two_stacks_get_different_ports() -> None:
    with claimed_ports() as first, claimed_ports() as second:
        assert all_ports(first).isdisjoint(all_ports(second))


def test_a_block_holds_every_port_of_its_stack_once() -> None:
    ports = Ports.of_block(20_000)
    expected = 7 + sum(last - first + 1 for first, last in (ports.rtc, ports.rtp))
    assert len(all_ports(ports)) == expected
    assert all(20_000 < port < 20_000 + BLOCK_SIZE for port in all_ports(ports))


def test_a_block_is_free_again_when_its_stack_has_ended() -> None:
    with claimed_ports() as ports:
        base = ports.gateway - 1
        assert not is_free(base)
    assert is_free(base)


def test_a_block_with_a_port_in_use_is_passed_over() -> None:
    with socket.socket() as other:
        # Bound while the block is ours: other tests claim blocks, too.
        with claimed_ports() as ports:
            # As servers do: connections of the last one may still be in TIME_WAIT.
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind((LOOPBACK, ports.gateway))
            other.listen()
        with claimed_ports() as chosen:
            assert chosen.gateway != ports.gateway


def test_a_block_with_its_sip_port_in_use_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        with claimed_ports() as ports:
            other.bind((LOOPBACK, ports.sip))
        with claimed_ports() as chosen:
            assert chosen.sip != ports.sip


def test_a_block_asked_for_by_name_must_be_free() -> None:
    with claimed_ports() as ports:
        base = ports.gateway - 1
        with pytest.raises(MissingTool, match=str(base)), claimed_ports(base):
            pass


def test_a_port_that_the_user_fixed_must_be_free() -> None:
    with socket.socket() as other, claimed_ports() as ports:
        other.bind((LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(MissingTool, match=f"port {taken};"):
            require_free(replace(ports, gateway=taken))
        require_free(ports)


def test_a_free_port_can_be_bound() -> None:
    assert is_free(free_port())
