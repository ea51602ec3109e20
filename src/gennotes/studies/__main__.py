"""`python -m gennotes.studies NAME` runs one study and says where it wrote what it measured."""

import argparse
from pathlib import Path

from gennotes import studies


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gennotes.studies", description="Run a study of the book.")
    parser.add_argument("name", choices=studies.names())
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--folder", type=Path, default=Path("book/measurements"))
    parser.add_argument("--device", help="cpu, cuda or mps; by default what this machine has")
    given = parser.parse_args()
    print(studies.measure(given.name, given.seeds, given.folder, given.device))


main()
