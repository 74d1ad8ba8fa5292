"""Sends what is due to webhooks: several targets at once, each one letter at a time, so that one that hangs delays no
other. Rows say what is due and what became of it (`actions.deliveries`); threads here touch the network alone."""

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone

from accounts.problems import SecretUnreadable
from environments import addresses, envelopes
from environments.actions import deliveries
from environments.actions.deliveries import Outcome
from environments.clients import webhooks
from environments.models import Delivery
from environments.states import WebhookKind

logger = logging.getLogger(__name__)

AT_ONCE = 8
# While something is under way, the rows are looked at again after so many seconds.
LOOK_AGAIN = 1.0
# With these answers a target says that it takes nothing now, whatever it is sent.
CLOSED = (429, 503)

Send = Callable[[], Outcome]


@dataclass
class Sender:
    """Sends until nothing is due any more. `post` and `clock` are those of the network and the system."""

    post: Callable[..., int] = webhooks.post
    clock: Callable[[], datetime] = timezone.now
    tries: int = 0
    _running: dict[Future[Outcome], Delivery] = field(default_factory=dict)

    def run(self) -> int:
        """How many tries it took."""
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            while self._begin(pool) or self._running:
                done, _ = wait(self._running, timeout=LOOK_AGAIN, return_when=FIRST_COMPLETED)
                for future in done:
                    deliveries.record(self._running.pop(future), future.result(), self.clock())
        return self.tries

    def _begin(self, pool: ThreadPoolExecutor) -> int:
        """Give what is due to free threads."""
        taken = deliveries.take(self.clock(), limit=AT_ONCE - len(self._running))
        for delivery in taken:
            # Secrets are read here: the threads keep away from the database.
            self._running[pool.submit(self._safely, self._letter(delivery), delivery.pk)] = delivery
        self.tries += len(taken)
        return len(taken)

    def _letter(self, delivery: Delivery) -> Send:
        """What sends it."""
        webhook, payload = delivery.webhook, delivery.payload
        try:
            target, secret = webhook.target, webhook.secret
        except SecretUnreadable as problem:
            return partial(Outcome, error=problem.detail, whole=True)
        match WebhookKind(webhook.kind):
            case WebhookKind.SIGNED:
                letter = envelopes.signed(payload, secret, int(self.clock().timestamp()))
                return partial(self._post, target, letter)
            case WebhookKind.SLACK:
                return partial(self._post, target, envelopes.slack(payload))
            case WebhookKind.EMAIL:
                return partial(_mail, target, envelopes.mail(payload))

    def _post(self, target: str, letter: envelopes.Letter) -> Outcome:
        allowed = addresses.networks(settings.WEBHOOK_ALLOWED_NETWORKS)
        try:
            return Outcome(self.post(target, letter.body, letter.headers, allowed=allowed))
        except webhooks.TargetRefused as refused:
            whole = refused.status in CLOSED
            return Outcome(refused.status, str(refused), whole=whole, pause=refused.pause if whole else 0)
        except webhooks.WebhookError as error:
            return Outcome(error=str(error), whole=True)

    def _safely(self, send: Send, pk: int) -> Outcome:
        """A fault of ours ends this try and no other; the log tells it without the address."""
        try:
            return send()
        except Exception as error:
            logger.error("delivery %s met a fault: %s", pk, type(error).__name__)
            return Outcome(error="The control plane made a mistake; its log has the details.")


def _mail(target: str, mail: envelopes.Mail) -> Outcome:
    """Hand a mail to the mail server. What goes wrong there is mostly wrong for every mail."""
    if not settings.EMAIL_IS_SET_UP:
        return Outcome(error="No mail server is set up any more. An operator names one in EMAIL_URL.", whole=True)
    message = EmailMessage(mail.subject, mail.text, to=[target], headers={"Message-ID": mail.message_id})
    try:
        message.send()
    except OSError as error:  # of the network, and of smtplib, whose texts may name the address
        return Outcome(error=f"The mail server did not take it ({type(error).__name__}).", whole=True)
    return Outcome()


def deliver_due() -> int:
    return Sender().run()
