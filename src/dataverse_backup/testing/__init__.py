"""The contract suites, for whoever writes a destination or a store of their own.

A test module that wants its destination judged imports the suite and says where it can be tried::

    from dataverse_backup.testing.destinations import *

    @pytest.fixture
    def place(tmp_path):
        return FolderPlace(tmp_path, MyDestination)

Needs the extra ``[testing]``. How it is done, step by step: docs/howto/add-a-destination.md.
"""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
