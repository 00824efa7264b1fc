"""`python -m dagster_project.cli`: the command line where its script is not on the PATH."""

import sys

from dagster_project.cli.app import main

sys.exit(main())
