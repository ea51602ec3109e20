"""Build the book with Jupyter Book: warnings are errors, references nitpicky, a failure ends in one line."""

import sys

from jupyter_book.cli.main import main
from sphinx.util.console import nocolor

if not sys.stdout.isatty():
    nocolor()
try:
    status = main(["build", ".", "--path-output", "book", "-W", "-n", "--keep-going"], standalone_mode=False)
except (RuntimeError, SystemExit):
    status = 1
if status:
    sys.exit("The book is not built: the warnings and errors above are the cause.")
