"""Calls ahead of who uses their answers, and tasks nobody waits for one by one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from backup_engine.pools import Pool, ahead


@pytest.mark.parametrize("room", [0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_answers_come_in_order(room: int, count: int) -> None:
    assert list(ahead(lambda n: n * n, range(count), room)) == [n * n for n in range(count)]


def test_the_next_argument_is_made_while_a_call_is_under_way() -> None:
    made = threading.Event()

    def arguments() -> Iterator[int]:
        yield 0
        yield 1
        made.set()
        yield 2

    assert list(ahead(lambda _: made.wait(10), arguments(), 1)) == [True, True, True]


def test_a_single_call_needs_no_thread() -> None:
    assert list(ahead(lambda _: threading.current_thread(), [0], 2)) == [threading.current_thread()]


@pytest.mark.parametrize("room", [0, 1, 2])
def test_an_error_ends_it(room: int) -> None:
    def arguments() -> Iterator[int]:
        yield from range(10)
        raise AssertionError("nobody asks for more after an error")

    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda n: 1 // (n - 3), arguments(), room))


@pytest.mark.parametrize("threads", [0, 2])
def test_nothing_is_taken_after_an_error(threads: int) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    with closing(Pool(threads, threads, "test")) as pool:

        def run(task: Callable[[], None]) -> None:
            pool.submit(task)
            pool.wait()

        for task in (fails, lambda: pytest.fail("taken")):
            with pytest.raises(ZeroDivisionError):
                run(task)
        with pytest.raises(ZeroDivisionError):
            pool.wait()
