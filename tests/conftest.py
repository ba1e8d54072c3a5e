"""Order of the whole suite, and the one stack of real servers that it shares."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from deploy.stack import Endpoints
from tests.stack import endpoints

# No test asserts an absolute time: a machine that is busy is slow, not wrong.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

_ORDER = ("unit", "laws", "contracts", "integration", "chaos")
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick tests first: what they find explains what the slow ones would."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(_HERE).parts[0]
    return _ORDER.index(folder) if folder in _ORDER else len(_ORDER)


@pytest.fixture(scope="session")
def stack() -> Iterator[Endpoints]:
    """Real servers, shared by all tests: name topics, keys and tables so that none collide."""
    with endpoints() as found:
        yield found
