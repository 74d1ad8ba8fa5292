"""Messages to the replicas of production, one after the other to each, while something else goes on."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

EVERY_SECONDS = 0.25


@dataclass
class Traffic:
    """`urls`: where each replica is now, by its name. Each message has a sender of its own, and an answer is what says
    something."""

    urls: Mapping[str, Callable[[], str]]
    answers: list[tuple[float, str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Traffic":
        self.threads = [threading.Thread(target=self.talk_to, args=item) for item in self.urls.items()]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def talk_to(self, name: str, url: Callable[[], str]) -> None:
        number = 0
        with httpx.Client(timeout=60) as http:
            while not self.over.wait(EVERY_SECONDS):
                number += 1
                begun = time.monotonic()
                self.answers.append((begun, name, self.answer(http, url, f"{name}-{number}")))

    def answer(self, http: httpx.Client, url: Callable[[], str], sender: str) -> str:
        """What is said; "" where that is nothing."""
        try:
            answers = http.post(f"{url()}/webhooks/rest/webhook", json={"sender": sender, "message": "hello"}).json()
        except (httpx.HTTPError, ValueError):
            return ""
        return " ".join(answer.get("text", "") for answer in answers) if isinstance(answers, list) else ""

    def between(self, begun: float, ended: float) -> dict[str, list[str]]:
        """The answers to messages that were sent in this time, by replica."""
        found: dict[str, list[str]] = {name: [] for name in self.urls}
        for at, name, text in list(self.answers):
            if begun <= at <= ended:
                found[name].append(text)
        return found
