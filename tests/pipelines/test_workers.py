"""Whoever works, everything is done; what fails is named and takes nothing along."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from maskwright.errors import InputError, MissingPartError
from maskwright.pipelines.workers import Crew, Failure, cluster_executor, reason_of


def square(number: int) -> int:
    if number == 3:
        raise InputError("three is not allowed; give another number")
    if number == 5:
        return [][number]
    return number * number


def check(crew: Crew) -> None:
    results = dict(crew.do(square, range(8)))
    assert results[3] == Failure("three is not allowed; give another number")
    assert results[5] == Failure("IndexError: list index out of range")
    assert {key: value for key, value in results.items() if key not in (3, 5)} == {n: n * n for n in (0, 1, 2, 4, 6, 7)}


def test_here() -> None:
    check(Crew())


def test_any_executor() -> None:
    with ThreadPoolExecutor(3) as pool:
        check(Crew(executor=pool))


def test_few_tasks_are_under_way_at_once() -> None:
    class Counting(ThreadPoolExecutor):
        most = 0

        def submit(self, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
            Counting.most = max(Counting.most, self._work_queue.qsize())
            return super().submit(*args, **kwargs)  # type: ignore[arg-type]

    with Counting(1) as pool:
        assert len(list(Crew(executor=pool).do(square, range(1000)))) == 1000
    assert Counting.most <= 4 * (os.cpu_count() or 1)


def test_an_executor_that_is_shut_fails_every_item_by_name() -> None:
    class Broken(Executor):
        def submit(self, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
            from concurrent.futures import BrokenExecutor

            raise BrokenExecutor("gone")

    results = list(Crew(executor=Broken()).do(square, range(4)))
    assert [task for task, _ in results] == [0, 1, 2, 3]
    assert all(isinstance(result, Failure) for _, result in results)


def test_a_worker_that_dies_takes_one_item_along(tmp_path: Path) -> None:
    script = tmp_path / "deadly.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal
        from maskwright.pipelines.workers import Crew, Failure
        def work(number):
            if number == 4:
                os.kill(os.getpid(), signal.SIGKILL)
            return number
        if __name__ == "__main__":
            results = dict(Crew(2).do(work, range(9)))
            assert sorted(results) == list(range(9)), results
            assert [n for n, r in results.items() if isinstance(r, Failure)] == [4], results
            print(results[4].reason)
        """)
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert "the worker process died" in ran.stdout, ran.stderr


def test_reasons_are_one_line() -> None:
    assert reason_of(ValueError("a\n  b")) == "ValueError: a b"
    assert reason_of(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_no_workers_is_an_error() -> None:
    with pytest.raises(InputError, match="at least 1 worker"):
        Crew(0)


def test_a_cluster_that_is_not_there_says_so() -> None:
    pytest.importorskip("distributed", reason="the scale extra is not installed")
    with (
        pytest.raises((InputError, MissingPartError), match="no dask scheduler answers"),
        cluster_executor("tcp://127.0.0.1:1"),
    ):
        pass


def test_without_dask_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPartError, match=r"pip install 'maskwright\[scale\]'"), cluster_executor("tcp://h:1"):
        pass
