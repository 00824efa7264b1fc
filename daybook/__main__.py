"""`python -m daybook`: the command line where its script is not on the PATH."""

import sys

from daybook.cli import main

sys.exit(main())
