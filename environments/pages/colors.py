"""Environment colours as they are shown: the declared hue, made light or dark enough to be read on either ground.

Pure, but for the view that writes them as a stylesheet: the Content-Security-Policy allows no `style` attribute.
"""

from colorsys import hls_to_rgb, rgb_to_hls
from hashlib import sha256

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition

from environments.models import Environment

LIGHT_GROUND, DARK_GROUND = "#f7f7f5", "#1b1e23"
READABLE = 4.6  # WCAG 2.2 AA asks for 4.5 : 1
STEPS = 100


def _channels(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def luminance(color: str) -> float:
    """Relative luminance as WCAG defines it, 0 to 1."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio, 1 to 21."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def readable(color: str, ground: str, least: float = READABLE) -> str:
    """`color` with its lightness moved away from `ground` until it is readable there."""
    hue, lightness, saturation = rgb_to_hls(*_channels(color))
    target = 0.0 if luminance(ground) > 0.5 else 1.0
    for step in range(STEPS + 1):
        moved = lightness + (target - lightness) * step / STEPS
        shown = "#" + "".join(f"{round(channel * 255):02x}" for channel in hls_to_rgb(hue, moved, saturation))
        if contrast(shown, ground) >= least:
            return shown
    return shown


def css_class(color: str) -> str:
    return f"env-{color.lstrip('#').lower()}"


def stylesheet(colors: list[str]) -> str:
    """One class per colour; `--env` is the colour itself, light and dark."""
    rules = []
    for color in colors:
        name, light, dark = css_class(color), readable(color, LIGHT_GROUND), readable(color, DARK_GROUND, 6.5)
        rules.append(f".{name} {{ --env-light: {light}; --env-dark: {dark}; }}")
    return "\n".join(rules) + "\n"


def _css(request: HttpRequest) -> str:
    colors = Environment.objects.order_by("color").values_list("color", flat=True).distinct()
    return stylesheet(list(colors))


def _etag(request: HttpRequest) -> str:
    return f'"{sha256(_css(request).encode()).hexdigest()[:16]}"'


@condition(etag_func=_etag)
def environments_css(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_css(request), content_type="text/css", headers={"Cache-Control": "no-cache"})
