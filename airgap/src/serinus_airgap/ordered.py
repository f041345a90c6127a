"""Doing things side by side, each as soon as those that it needs are done."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from typing import TypeVar

from serinus_airgap.programs import stopped
from serinus_airgap.running import BuildError

Result = TypeVar("Result")


def run_all(needed: Mapping[str, list[str]], work: Callable[[str], Result]) -> dict[str, Result]:
    """Call `work` for each name after those it needs; return the results by name.

    After a failure nothing new is begun, and what runs is waited for. Where this process is asked to stop,
    and at a defect of ours, the programs that run are ended.

    Raises:
        BuildError: one or several failed; the message has the words of each.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(needed))) as pool:
        try:
            return _run_all(needed, work, pool)
        except BuildError:
            raise
        except BaseException:
            with stopped():
                pool.shutdown(cancel_futures=True)
            raise


def _run_all(
    needed: Mapping[str, list[str]], work: Callable[[str], Result], pool: ThreadPoolExecutor
) -> dict[str, Result]:
    results: dict[str, Result] = {}
    failures: list[str] = []
    order = TopologicalSorter(needed)
    order.prepare()
    running: dict[Future[Result], str] = {}
    while order.is_active() and not (failures and not running):
        if not failures:
            running |= {pool.submit(work, name): name for name in order.get_ready()}
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            name = running.pop(future)
            problem = future.exception()
            if problem is None:
                results[name] = future.result()
                order.done(name)
            elif isinstance(problem, BuildError):
                failures.append(str(problem))
            else:
                raise problem
    if failures:
        raise BuildError("\n".join(dict.fromkeys(failures)))
    return results
