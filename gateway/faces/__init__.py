"""The APIs this gateway speaks: its own, its administration's, and those of three products.

All are thin: a route turns a request into a call of `dispatch` and the answer into a body. No rule
of the product lives here.
"""

from typing import Final

from gateway.faces.admin import ADMIN
from gateway.faces.agntix import AGNTIX
from gateway.faces.face import Face
from gateway.faces.native import NATIVE
from gateway.faces.talkifai import TALKIFAI
from gateway.faces.voxai import VOXAI

FACES: Final = (VOXAI, TALKIFAI, AGNTIX, ADMIN, NATIVE)
"""Asked in this order whose a path is; the native one owns what no other does."""


def face_of(path: str) -> Face:
    """Return the API to which a path belongs, whether something is there or not."""
    return next(face for face in FACES if face.paths.match(path))
