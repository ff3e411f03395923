"""Puts the weights of the engines into a folder, for the image of the placement endpoint.

Run by the Dockerfile with those few modules of Opal that know of weights, so that no other change makes it
fetch them again. What arrives with another hash than the pinned one ends the build.
"""

import sys
from pathlib import Path

from opal.cutout.models import MODELS, model_spec, pull_model, verify_model


def main() -> None:
    """``pull_weights.py FOLDER``."""
    folder = Path(sys.argv[1])
    pull_model(model_spec("isnet"), folder, companions=MODELS.values())
    for spec in MODELS.values():
        verify_model(spec, folder).chmod(0o444)
    (folder / ".lock").unlink()


if __name__ == "__main__":
    main()
