"""What templates of pipelines say: how a run ended, and when something is due."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from environments.errors import GatesNotPassed
from environments.models import PipelineRun
from environments.pages.durations import span
from environments.states import JobStatus
from environments.templatetags.pages import sign

register = template.Library()


@register.simple_tag
def run_sign(run: PipelineRun) -> SafeString:
    """How a run ended, or how far it is."""
    if run.status == JobStatus.SUCCEEDED and run.promotion_id:
        return sign("run", "promoted")
    if run.error_code == GatesNotPassed.code:
        return sign("run", "left")
    return sign("job", run.status)


@register.simple_tag
def due(at: datetime) -> SafeString:
    """A time to come in words, `in 5 h`, with the absolute one beside it."""
    seconds = (at - timezone.now()).total_seconds()
    words = f"in {span(seconds)}" if seconds >= 1 else "now"
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time> <span class="muted small">· {} UTC</span>',
        at.isoformat(),
        f"{at:%Y-%m-%d %H:%M:%S}",
        words,
        f"{at:%a} {at.day} {at:%b %H:%M}",
    )
