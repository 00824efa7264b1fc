"""dlt's run context: it takes its settings from the environment alone.

By itself dlt reads `.dlt/config.toml` and `.dlt/secrets.toml` of the working folder and of the user's own folder, and
imports a module that is called like the working folder. Files of the working folder must
not decide anything about the books.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import EnvironProvider
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext


class HomeContext(RunContext):
    """dlt's idea of a project: all of its folders are the one given, and no file there is read as a setting."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder
        self._global_dir = str(folder)

    @property
    def run_dir(self) -> str:
        """The folder, whatever DLT_PROJECT_DIR says."""
        return str(self.folder)

    @property
    def local_dir(self) -> str:
        """The folder, whatever DLT_LOCAL_DIR says."""
        return str(self.folder)

    @property
    def data_dir(self) -> str:
        """The folder, whatever DLT_DATA_DIR says."""
        return str(self.folder)

    @property
    def module(self) -> ModuleType | None:
        """None: the folder belongs to no Python module."""
        return None

    def initial_providers(self) -> list[ConfigProvider]:
        """The environment alone."""
        return [EnvironProvider()]


def settle_in(folder: Path) -> None:
    """Make a folder dlt's own in this process, before dlt has looked anywhere."""
    container = Container()
    if PluggableRunContext in container:
        current = container[PluggableRunContext].context
        if isinstance(current, HomeContext) and current.folder == folder:
            return
    container[PluggableRunContext] = PluggableRunContext(HomeContext(folder))
