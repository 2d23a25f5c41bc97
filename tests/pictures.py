"""Small pictures for tests, drawn here."""

import base64
import io

from PIL import Image

__all__ = ["picture"]


def picture(kind: str = "PNG", size: tuple[int, int] = (3, 2), color: str = "red") -> str:
    """Returns a picture of one color, in base64."""
    drawn = io.BytesIO()
    Image.new("RGB", size, color).save(drawn, kind)
    return base64.b64encode(drawn.getvalue()).decode()
